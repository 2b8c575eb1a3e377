// Receipts (C2SP tlog-proof) and checkpoints, verified with golang.org/x/mod/sumdb.

package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint opens a signed note under the policy: the log's signature and the quorum.
func (p *policy) checkpoint(signed string) (tlog.Tree, error) {
	origin, _, _ := strings.Cut(signed, "\n")
	log, ok := p.logs[origin]
	if !ok {
		return tlog.Tree{}, fmt.Errorf("the policy has no log %q", origin)
	}
	verifiers := []note.Verifier{log}
	for _, witness := range p.witnesses {
		verifiers = append(verifiers, witness)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	byLog, cosigned := false, map[string]bool{}
	for _, line := range opened.Sigs {
		byLog = byLog || (line.Name == log.Name() && line.Hash == log.KeyHash())
		for _, witness := range p.witnesses {
			if line.Name == witness.name && line.Hash == witness.hash {
				cosigned[witness.vkey] = true
			}
		}
	}
	if !byLog {
		return tlog.Tree{}, fmt.Errorf("the log has not signed")
	}
	if !p.holds(p.quorum, cosigned) {
		return tlog.Tree{}, fmt.Errorf("%d witnesses have cosigned, which is no quorum", len(cosigned))
	}
	return parseTree(opened.Text)
}

func parseTree(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("the checkpoint has not three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// hashes reads one base64 hash a line.
func hashes(lines []string) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		list = append(list, hash)
	}
	return list, nil
}

// receipt verifies that the entry is in the log under the policy, and returns its index.
func (p *policy) receipt(entry []byte, text string) (int64, error) {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, fmt.Errorf("not a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, fmt.Errorf("no index line")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return 0, err
	}
	tree, err := p.checkpoint(signed)
	if err != nil {
		return 0, err
	}
	return index, tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
