// Tessera's load generator and checker over the part of Cairn's log that is not about events.

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// goal is the number of leaves to write: over four tiles, a run of seconds.
const goal = "1200"

// hammered loads `raw_log`, which takes bytes that nobody signed and refuses the name of a real log.
func hammered(root, tools string) error {
	folder := filepath.Join(root, "raw")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	program := cairn(filepath.Join("examples", "raw_log"))
	_, err := output(program, "log.example.com/acme", filepath.Join(folder, "refused"))
	if err != nil && strings.Contains(err.Error(), "does not begin with") {
		err = nil
	} else {
		err = fmt.Errorf("it was not refused for its name: %v", err)
	}
	test("raw_log_must_refuse_the_name_of_a_real_log", err)
	server, err := serve(filepath.Join(folder, "raw.txt"), program, "example.test/hammer", folder)
	if err != nil {
		return err
	}
	defer server.end()
	key, err := os.ReadFile(filepath.Join(folder, "log.vkey"))
	if err != nil {
		return err
	}
	vkey := strings.TrimSpace(string(key))
	_, err = output(filepath.Join(tools, "hammer"), "--log_public_key="+vkey, "--log_url="+server.url+"/",
		"--max_read_ops=256", "--num_readers_random=8", "--num_readers_full=2", "--num_writers=64",
		"--max_write_ops=2000", "--leaf_min_size=1024", "--leaf_write_goal="+goal, "--max_runtime=5m", "--show_ui=false")
	test("hammer_must_find_every_leaf_it_wrote", err)
	test("fsck_must_accept_the_hammered_log", fsck(folder, tools, server.url, vkey))
	return nil
}
