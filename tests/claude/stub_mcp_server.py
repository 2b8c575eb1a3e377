#!/usr/bin/env python3
"""An MCP server over standard input and output whose tools do nothing.

    stub_mcp_server.py [--listed FILE] TOOL...

Every tool takes any input and answers "done".  To FILE it appends a line with
the time, in seconds since 1970, whenever it has listed its tools.
"""
import json
import sys
import time


def answer(method, params, tools):
    if method == "initialize":
        version = params.get("protocolVersion", "2025-06-18")
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "stub", "version": "1"}}
    if method == "tools/list":
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        return {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in tools]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "done"}]}
    return {}


def main():
    tools, listed = sys.argv[1:], None
    if tools[:1] == ["--listed"]:
        listed, tools = tools[1], tools[2:]
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = answer(request.get("method"), request.get("params") or {}, tools)
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
        if listed and request.get("method") == "tools/list":
            with open(listed, "a") as file:
                file.write(f"{time.time()}\n")


if __name__ == "__main__":
    main()
