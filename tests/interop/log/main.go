// Plays other people's transparency-log programs against Cairn's, and Cairn's samples against other
// people's libraries.
//
// It owns the order and the counts. The Cairn programs are those in $CAIRN_PROGRAMS; the others are
// built from the versions in go.mod into $CAIRN_TOOLS, or a folder that is removed at the end.
// The last line is "N passed, N failed".

package main

import (
	"fmt"
	"os"
)

var passed, failed int

func test(name string, fault error) bool {
	if fault == nil {
		passed++
		fmt.Printf("ok   %s\n", name)
		return true
	}
	failed++
	fmt.Printf("FAIL %s: %v\n", name, fault)
	return false
}

// refused is for what must not be accepted.
func refused(name string, fault error) {
	if fault == nil {
		test(name, fmt.Errorf("accepted"))
		return
	}
	test(name+" ("+fault.Error()+")", nil)
}

func run() error {
	receipts()
	mlDsa()
	folder, err := os.MkdirTemp("", "cairn-interop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	tools, err := buildTools(folder)
	if err != nil {
		return err
	}
	test("litewitness_script_must_pass_against_our_witness", litewitnessScripts(folder))
	test("torchwood_must_verify_our_witness_over_a_growing_log", feeder(folder))
	if err := cosignedLog(folder, tools); err != nil {
		return err
	}
	return hammered(folder, tools)
}

func main() {
	if err := run(); err != nil {
		test("the suite", err)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
