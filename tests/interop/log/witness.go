// Cairn's witness, asked by other people's scripts and by a client made of other people's libraries.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ourWitness is a new `cairn-witness` that serves these logs.
func ourWitness(folder, name string, logs ...string) (*live, string, error) {
	vkey, err := output(cairn("cairn-witness"), "init", "--name", name, "--out", folder)
	if err != nil {
		return nil, "", err
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--new-state",
		"--key", filepath.Join(folder, "witness.key"), "--db", filepath.Join(folder, "state.redb")}
	for _, log := range logs {
		args = append(args, "--log", log)
	}
	program, err := serve(filepath.Join(folder, "witness.txt"), cairn("cairn-witness"), args...)
	return program, vkey, err
}

type answer struct {
	status int
	kind   string
	body   string
}

func post(url, body string) (answer, error) {
	response, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(text)}, err
}

// step is one request of a hurl script and what it must get.
type step struct {
	body   string
	status int
	equals string
}

// litewitnessScript reads the requests of litewitness's own test from its pinned sources.
func litewitnessScript() ([]step, error) {
	module, err := output("go", "list", "-m", "-f", "{{.Dir}}", "filippo.io/torchwood")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(module, "cmd/litewitness/testdata/litewitness.txt"))
	if err != nil {
		return nil, err
	}
	_, script, _ := strings.Cut(string(text), "-- add-checkpoint.hurl --\n")
	script, _, _ = strings.Cut(script, "\n-- ")
	var steps []step
	for _, part := range strings.Split(script, "POST ")[1:] {
		_, rest, _ := strings.Cut(part, "```\n")
		body, rest, found := strings.Cut(rest, "```\n")
		if !found {
			return nil, fmt.Errorf("a step without a body")
		}
		s := step{body: body}
		for _, line := range strings.Split(rest, "\n") {
			if code, found := strings.CutPrefix(line, "HTTP "); found {
				if s.status, err = strconv.Atoi(strings.TrimSpace(code)); err != nil {
					return nil, err
				}
			}
			if quoted, found := strings.CutPrefix(line, "body == "); found {
				if s.equals, err = strconv.Unquote(quoted); err != nil {
					return nil, err
				}
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// litewitnessScripts plays that test against Cairn's witness. Only statuses and whole bodies are
// compared: the words of a refusal are each program's own.
func litewitnessScripts(folder string) error {
	const log = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562" +
		"+5202289b+Af/cLU2Y5BJNP+r3iMDC+av9eWCD0fBJVDfzAux5zxAP"
	steps, err := litewitnessScript()
	if err != nil {
		return err
	}
	if len(steps) < 9 {
		return fmt.Errorf("only %d steps were read", len(steps))
	}
	witness, _, err := ourWitness(filepath.Join(folder, "scripted"), "example.com/witness", log)
	if err != nil {
		return err
	}
	defer witness.end()
	for number, step := range steps {
		got, err := post(witness.url+"/add-checkpoint", step.body)
		switch {
		case err != nil:
		case got.status != step.status:
			err = fmt.Errorf("status %d instead of %d: %s", got.status, step.status, got.body)
		case step.equals != "" && got.body != step.equals:
			err = fmt.Errorf("body %q instead of %q", got.body, step.equals)
		case got.status == 200 && !strings.Contains(got.body, "— example.com/witness "):
			err = fmt.Errorf("no cosignature: %q", got.body)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", number+1, err)
		}
	}
	return nil
}

// memory is a log in memory, with Go's own hashes and proofs.
type memory struct {
	signer note.Signer
	hashes []tlog.Hash
	size   int64
}

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for at, index := range indexes {
		found[at] = m.hashes[index]
	}
	return found, nil
}

func (m *memory) grow(size int64) error {
	for ; m.size < size; m.size++ {
		more, err := tlog.StoredHashes(m.size, []byte(fmt.Sprint("leaf ", m.size)), m)
		if err != nil {
			return err
		}
		m.hashes = append(m.hashes, more...)
	}
	return nil
}

// request is an add-checkpoint body from one size to another.
func (m *memory) request(old, size int64) (string, string, error) {
	if err := m.grow(size); err != nil {
		return "", "", err
	}
	root, err := tlog.TreeHash(size, m)
	if err != nil {
		return "", "", err
	}
	if size == 0 {
		root = sha256.Sum256(nil)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", m.signer.Name(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, m.signer)
	if err != nil {
		return "", "", err
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	if old > 0 {
		// Go's own function takes no empty old tree.
		proof, err := tlog.ProveTree(size, old, m)
		if err != nil {
			return "", "", err
		}
		for _, hash := range proof {
			fmt.Fprintln(&body, base64.StdEncoding.EncodeToString(hash[:]))
		}
	}
	fmt.Fprintf(&body, "\n%s", signed)
	return body.String(), string(signed), nil
}

// feeder lets a log of Go's library grow under Cairn's witness; torchwood verifies each cosignature.
func feeder(folder string) error {
	secret, public, err := note.GenerateKey(nil, "log.example/go")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	witness, vkey, err := ourWitness(filepath.Join(folder, "fed"), "witness.example/fed", public)
	if err != nil {
		return err
	}
	defer witness.end()
	log := &memory{signer: signer}
	old := int64(0)
	for _, size := range []int64{0, 1, 2, 3, 8, 9, 255, 256, 257, 700, 700} {
		if err := feed(log, witness.url, vkey, old, size); err != nil {
			return fmt.Errorf("%d to %d: %w", old, size, err)
		}
		old = size
	}
	body, _, err := log.request(1, 701)
	if err != nil {
		return err
	}
	got, err := post(witness.url+"/add-checkpoint", body)
	if err == nil && (got.status != 409 || got.kind != "text/x.tlog.size" || got.body != "700\n") {
		err = fmt.Errorf("an old size is answered with %+v", got)
	}
	return err
}

func feed(log *memory, url, vkey string, old, size int64) error {
	body, signed, err := log.request(old, size)
	if err != nil {
		return err
	}
	got, err := post(url+"/add-checkpoint", body)
	if err != nil || got.status != 200 {
		return fmt.Errorf("%+v, %v", got, err)
	}
	verifier, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(signed+got.body), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	at, err := torchwood.CosignatureTimestamp(opened.Sigs[0])
	if err == nil && at < 1_700_000_000 {
		err = fmt.Errorf("time %d", at)
	}
	return err
}
