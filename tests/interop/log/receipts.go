// Cairn's sample receipt and trust policy with torchwood's own verifier and transparency-dev's parser.

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"
)

const samples = "../../../crates/tlog/testdata"

func sample(name string) string {
	bytes, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		test("sample "+name, err)
	}
	return string(bytes)
}

// verifies is torchwood's whole verification of a receipt under a trust policy.
func verifies(trust, entry, receipt string) error {
	policy, err := torchwood.ParsePolicy([]byte(trust))
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash([]byte(entry)), []byte(receipt))
}

func receipts() {
	trust, entry, receipt := sample("sample/trust-policy"), sample("sample/entry"), sample("sample/receipt")
	test("torchwood_must_verify_our_receipt_under_our_trust_policy", verifies(trust, entry, receipt))
	refused("torchwood_must_refuse_another_entry", verifies(trust, entry+" ", receipt))
	other := strings.Replace(receipt, "index 261", "index 260", 1)
	refused("torchwood_must_refuse_another_index", verifies(trust, entry, other))
	one := receipt[:strings.Index(receipt, "— witness.example.net/w2")]
	refused("torchwood_must_refuse_one_witness_of_two", verifies(trust, entry, one))
	other = strings.Replace(receipt, "\n300\n", "\n301\n", 1)
	refused("torchwood_must_refuse_another_size", verifies(trust, entry, other))

	var read proof.TLogProof
	err := read.Unmarshal([]byte(receipt))
	if err == nil && !bytes.Equal(read.Marshal(), []byte(receipt)) {
		err = fmt.Errorf("it writes another text")
	}
	if err == nil && read.Index != 261 {
		err = fmt.Errorf("it reads index %d", read.Index)
	}
	test("formats_must_read_and_write_our_receipt", err)
}
