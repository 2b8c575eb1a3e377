// Verifies Cairn's receipts and checkpoints with Go's own transparency-log library.
//
// Without arguments it checks the sample log in crates/tlog/testdata/sample and damaged copies of it.
// With `--entry E --receipt R --trust-policy P` it checks one receipt of any log as well.
// The last line is "N passed, N failed".

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const samples = "../../../../crates/tlog/testdata/sample"

var passed, failed int

func test(name string, fault error) {
	if fault == nil {
		passed++
		fmt.Printf("ok   %s\n", name)
		return
	}
	failed++
	fmt.Printf("FAIL %s: %v\n", name, fault)
}

func refused(name string, fault error) {
	if fault == nil {
		test(name, fmt.Errorf("accepted"))
		return
	}
	test(name+" ("+fault.Error()+")", nil)
}

func read(path string) string {
	bytes, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return string(bytes)
}

// flip changes one bit of the byte that follows the first mark.
func flip(text, mark string) string {
	at := strings.Index(text, mark) + len(mark)
	return text[:at] + string(text[at]^1) + text[at+1:]
}

func sampleReceipt(p *policy, folder string) {
	entry := read(filepath.Join(folder, "entry"))
	receipt := read(filepath.Join(folder, "receipt"))
	check := func(entry, receipt string) error {
		index, err := p.receipt([]byte(entry), receipt)
		if err == nil && index != 261 {
			err = fmt.Errorf("index %d", index)
		}
		return err
	}
	test("sumdb_must_verify_our_receipt", check(entry, receipt))
	refused("sumdb_must_refuse_another_entry", check(entry+" ", receipt))
	refused("sumdb_must_refuse_a_flipped_entry_byte", check(flip(entry, "."), receipt))
	refused("sumdb_must_refuse_another_index", check(entry, strings.Replace(receipt, "index 261", "index 260", 1)))
	refused("sumdb_must_refuse_a_flipped_proof_hash", check(entry, flip(receipt, "index 261\n")))
	refused("sumdb_must_refuse_another_size", check(entry, strings.Replace(receipt, "\n300\n", "\n301\n", 1)))
	refused("sumdb_must_refuse_a_flipped_log_signature", check(entry, flip(receipt, "— log.example.com/acme q47eI0")))
	refused("sumdb_must_refuse_a_flipped_cosignature", check(entry, flip(receipt, "w1 2orsoQAAAABq/Yft1h")))
	second := strings.Index(receipt, "— witness.example.net/w2")
	refused("sumdb_must_refuse_one_witness_of_two", check(entry, receipt[:second]))
}

func sampleConsistency(p *policy, folder string) {
	old, err := p.checkpoint(read(filepath.Join(folder, "checkpoint.old")))
	test("sumdb_must_open_the_older_checkpoint", err)
	newer, err := p.checkpoint(read(filepath.Join(folder, "checkpoint.new")))
	test("sumdb_must_open_the_newer_checkpoint", err)
	lines := strings.Fields(read(filepath.Join(folder, "consistency")))
	proof, err := hashes(lines)
	if err == nil {
		err = tlog.CheckTree(proof, newer.N, newer.Hash, old.N, old.Hash)
	}
	test("sumdb_must_verify_our_consistency_proof", err)
	if len(proof) > 0 {
		proof[0][0] ^= 1
	}
	refused("sumdb_must_refuse_a_flipped_consistency_proof", tlog.CheckTree(proof, newer.N, newer.Hash, old.N, old.Hash))
}

func main() {
	folder := flag.String("sample", samples, "folder of the sample log")
	entry := flag.String("entry", "", "an entry of any log")
	receipt := flag.String("receipt", "", "its receipt")
	trust := flag.String("trust-policy", "", "the trust policy to judge it by")
	flag.Parse()
	p, err := parsePolicy(read(filepath.Join(*folder, "trust-policy")))
	test("sumdb_must_read_our_trust_policy", err)
	if err == nil {
		sampleReceipt(p, *folder)
		sampleConsistency(p, *folder)
	}
	if *receipt != "" {
		p, err := parsePolicy(read(*trust))
		if err == nil {
			var index int64
			index, err = p.receipt([]byte(read(*entry)), read(*receipt))
			fmt.Printf("     index %d\n", index)
		}
		test("sumdb_must_verify_"+filepath.Base(*receipt), err)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
