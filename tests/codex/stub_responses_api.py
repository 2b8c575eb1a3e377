#!/usr/bin/env python3
"""Loopback stub of the OpenAI Responses API, for driving Codex in tests.

    stub_responses_api.py [--port 0] --script scripts.json [--log requests.jsonl]

The script is a JSON object of scripts by name, each an array of output items; the last user message
that says `script:NAME` chooses one, else it is `main`. The stub keeps no state: it answers with the item whose number
is the number of tool outputs in the request, and with "done" past the last.
`"$SESSION"` in an item is the newest number of a running command that an output named.
Prints the port it listens on as the first line of stdout.
"""

import argparse
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(json.dumps({"object": "list", "data": [], "models": []}), "application/json")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        with self.server.lock, open(self.server.log_path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"path": self.path, "body": body}) + "\n")
        items = body.get("input", [])
        step = sum(1 for one in items if one.get("type", "").endswith("_output"))
        script = self.server.scripts[chosen(items)]
        if step < len(script):
            item = json.dumps(script[step])
            if running := re.findall(r"session ID (\d+)", json.dumps(items)):
                item = item.replace('"$SESSION"', running[-1])
            item = json.loads(item)
            if "arguments" in item:
                item["arguments"] = json.dumps(item["arguments"])
        else:
            item = {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "done"}]}
        usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None, "total_tokens": 2}
        events = [
            {"type": "response.created", "response": {"id": f"resp_{step}"}},
            {"type": "response.output_item.done", "item": item},
            {"type": "response.completed", "response": {"id": f"resp_{step}", "usage": usage}},
        ]
        self.answer("".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events), "text/event-stream")

    def answer(self, text, kind):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chosen(items):
    """The name of the script that the newest message naming one asks for."""
    for item in reversed(items):
        if item.get("role") == "user" and (found := re.search(r"script:(\w+)", json.dumps(item.get("content")))):
            return found.group(1)
    return "main"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", required=True)
    parser.add_argument("--log", default="/dev/null")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Stub)
    server.daemon_threads = True
    server.lock, server.log_path = threading.Lock(), options.log
    with open(options.script, encoding="utf-8") as file:
        server.scripts = json.load(file)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
