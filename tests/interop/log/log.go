// Cairn's real log, cosigned by litewitness and by Cairn's own witness, and checked by Tessera's fsck.

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const origin = "cairn.example/interop"

// keyring serves one new Ed25519 key as an SSH agent, which is where litewitness takes its key from.
func keyring(socket string) (string, ssh.PublicKey, error) {
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: secret}); err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return "", nil, err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keys, connection)
		}
	}()
	wrapped, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", nil, err
	}
	signer, err := torchwood.NewCosignatureSigner("litewitness.example/1", secret)
	if err != nil {
		return "", nil, err
	}
	return signer.Verifier().String(), wrapped, nil
}

// configure writes litewitness's list of logs, as its own `witnessctl add-log` and `add-key` do.
func configure(database, vkey string) error {
	connection, err := sqlite.OpenConn(database)
	if err != nil {
		return err
	}
	defer connection.Close()
	return sqlitex.ExecuteScript(connection, fmt.Sprintf(`
		CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
		CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));
		INSERT INTO log VALUES ('%[1]s', 0, '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
		INSERT INTO key VALUES ('%[1]s', '%[2]s');`, origin, vkey), nil)
}

// litewitness starts one for Cairn's log.
func litewitness(folder, tools, log string) (*live, string, error) {
	socket := filepath.Join(folder, "agent")
	vkey, key, err := keyring(socket)
	if err != nil {
		return nil, "", err
	}
	database := filepath.Join(folder, "litewitness.db")
	if err := configure(database, log); err != nil {
		return nil, "", err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	program, err := startOn(address, filepath.Join(folder, "litewitness.txt"), filepath.Join(tools, "litewitness"),
		"-db", database, "-name", "litewitness.example/1", "-key", ssh.FingerprintSHA256(key),
		"-ssh-agent", socket, "-listen", address)
	return program, vkey, err
}

// organisation makes keys and genesis of a new log, and gives the log's key.
func organisation(folder string) (string, error) {
	printed, err := output(cairn("cairn-server"), "init", "--origin", origin, "--listen", "127.0.0.1:0",
		"--data", filepath.Join(folder, "server"))
	if err != nil {
		return "", err
	}
	var keys struct {
		LogKey string `json:"log_key"`
	}
	if err := json.Unmarshal([]byte(printed), &keys); err != nil {
		return "", err
	}
	_, err = output(cairn("cairn"), "org", "create", "--json", "--name", "Acme",
		"--server-keys", filepath.Join(folder, "server", "server-keys.json"), "--out", filepath.Join(folder, "office"))
	return keys.LogKey, err
}

// serveLog starts the server with a trust policy that wants both witnesses.
func serveLog(folder, trust string) (*live, error) {
	policy := filepath.Join(folder, "trust-policy")
	if err := os.WriteFile(policy, []byte(trust), 0o644); err != nil {
		return nil, err
	}
	outbox := filepath.Join(folder, "outbox")
	if err := os.MkdirAll(outbox, 0o755); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("listen = \"127.0.0.1:0\"\nallowed_domains = [\"acme.example\"]\ntrust_policy = %s\n\n"+
		"[mail]\noutbox = %s\nfrom = \"cairn@acme.example\"\n", strconv.Quote(policy), strconv.Quote(outbox))
	if err := os.WriteFile(filepath.Join(folder, "server", "config.toml"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	return serve(filepath.Join(folder, "server.txt"), cairn("cairn-server"), "serve",
		"--data", filepath.Join(folder, "server"), "--genesis", filepath.Join(folder, "office", "genesis.frame"))
}

// checkpointOf waits for a published checkpoint of at least this size with every signature.
func checkpointOf(url string, size int64, keys note.Verifiers, signatures int) error {
	var last string
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		response, err := http.Get(url + "/checkpoint")
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		last = string(text)
		opened, err := note.Open(text, keys)
		if err == nil && len(opened.Sigs) == signatures {
			checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
			if err == nil && checkpoint.N >= size {
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the checkpoint is still\n%s", last)
}

func fsck(folder, tools, url, vkey string) error {
	key := filepath.Join(folder, "log.vkey")
	if err := os.WriteFile(key, []byte(vkey), 0o644); err != nil {
		return err
	}
	// It ends with 0 whatever it found, and says what it found on its standard error.
	command := exec.Command(filepath.Join(tools, "fsck"), "--storage_url="+url+"/", "--public_key="+key, "--ui=false", "-v=1")
	told, err := command.CombinedOutput()
	switch {
	case err != nil:
		return fmt.Errorf("fsck: %w\n%s", err, told)
	case bytes.Contains(told, []byte("fsck failed")), !bytes.Contains(told, []byte("Completed ranges")):
		return fmt.Errorf("fsck: %s", told)
	}
	return nil
}

// world is a log with the two witnesses that its trust policy wants.
type world struct {
	folder, log, theirKey, ourKey string
	theirs, ours, server          *live
}

func newWorld(root, tools string) (*world, error) {
	w := &world{folder: filepath.Join(root, "log")}
	err := os.MkdirAll(w.folder, 0o755)
	if err == nil {
		w.log, err = organisation(w.folder)
	}
	if err == nil {
		w.theirs, w.theirKey, err = litewitness(w.folder, tools, w.log)
	}
	if err == nil {
		w.ours, w.ourKey, err = ourWitness(filepath.Join(w.folder, "witness"), "witness.example/ours", w.log)
	}
	if err == nil {
		trust := fmt.Sprintf("log %s\nwitness theirs %s %s\nwitness ours %s %s\ngroup both all theirs ours\n"+
			"quorum both\n", w.log, w.theirKey, w.theirs.url, w.ourKey, w.ours.url)
		w.server, err = serveLog(w.folder, trust)
	}
	return w, err
}

func (w *world) end() {
	for _, program := range []*live{w.server, w.ours, w.theirs} {
		if program != nil {
			program.end()
		}
	}
}

func cosignedLog(root, tools string) error {
	w, err := newWorld(root, tools)
	defer w.end()
	if err != nil {
		return err
	}
	keys, err := verifiers(w.log, w.theirKey, w.ourKey)
	if err != nil {
		return err
	}
	test("litewitness_must_cosign_our_log", checkpointOf(w.server.url, 1, keys, 3))
	// Entries of many devices over more than two tiles, each signed and admitted.
	_, err = output(cairn(filepath.Join("examples", "bench_submit")), "rate", filepath.Join(w.folder, "office"),
		w.server.url, "512", "64", strconv.Itoa(w.server.command.Process.Pid))
	if err != nil {
		return err
	}
	test("litewitness_must_cosign_our_grown_log", checkpointOf(w.server.url, 576, keys, 3))
	test("fsck_must_accept_our_log", fsck(w.folder, tools, w.server.url, w.log))
	_, stranger, err := note.GenerateKey(nil, origin)
	if err != nil {
		return err
	}
	refused("fsck_must_refuse_another_key", fsck(w.folder, tools, w.server.url, stranger))
	return nil
}

func verifiers(log string, witnesses ...string) (note.Verifiers, error) {
	first, err := note.NewVerifier(log)
	if err != nil {
		return nil, err
	}
	all := []note.Verifier{first}
	for _, vkey := range witnesses {
		verifier, err := torchwood.NewCosignatureVerifier(vkey)
		if err != nil {
			return nil, err
		}
		all = append(all, verifier)
	}
	return note.VerifierList(all...), nil
}
