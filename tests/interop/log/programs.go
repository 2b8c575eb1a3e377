// Child processes: other people's programs and Cairn's, each on a free port, each ended at the end.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long a program may take until it answers: the machine may be busy.
const patience = 2 * time.Minute

var packages = []string{
	"filippo.io/torchwood/cmd/litewitness",
	"github.com/transparency-dev/tessera/cmd/fsck",
	"github.com/transparency-dev/tessera/internal/hammer",
}

// buildTools builds the pinned programs and gives their folder.
func buildTools(folder string) (string, error) {
	tools := os.Getenv("CAIRN_TOOLS")
	if tools == "" {
		tools = filepath.Join(folder, "tools")
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	build := exec.Command("go", append([]string{"build", "-o", tools + "/"}, packages...)...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return tools, nil
}

// cairn is one of Cairn's own programs.
func cairn(name string) string {
	return filepath.Join(os.Getenv("CAIRN_PROGRAMS"), name)
}

// output runs a program to its end.
func output(name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	var told bytes.Buffer
	command.Stderr = &told
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, out, told.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// live is a program that serves until it is ended.
type live struct {
	command *exec.Cmd
	url     string
	told    *os.File
}

// serve starts a program whose first line is "listening URL".
func serve(diagnostics, name string, args ...string) (*live, error) {
	told, err := os.Create(diagnostics)
	if err != nil {
		return nil, err
	}
	command := exec.Command(name, args...)
	command.Stderr = told
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	program := &live{command: command, told: told}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(first), "listening ")
	if err != nil || !found {
		program.end()
		said, _ := os.ReadFile(diagnostics)
		return nil, fmt.Errorf("%s said %q and %s", filepath.Base(name), first, said)
	}
	program.url = strings.TrimSuffix(url, "/")
	go io.Copy(io.Discard, lines)
	return program, nil
}

// startOn starts a program that is told its address, and waits until it accepts connections.
func startOn(address, diagnostics, name string, args ...string) (*live, error) {
	told, err := os.Create(diagnostics)
	if err != nil {
		return nil, err
	}
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = told, told
	if err := command.Start(); err != nil {
		return nil, err
	}
	program := &live{command: command, told: told, url: "http://" + address}
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			connection.Close()
			return program, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	program.end()
	said, _ := os.ReadFile(diagnostics)
	return nil, fmt.Errorf("%s does not listen: %s", filepath.Base(name), said)
}

func (l *live) end() {
	l.command.Process.Signal(os.Interrupt)
	timer := time.AfterFunc(10*time.Second, func() { l.command.Process.Kill() })
	l.command.Wait()
	timer.Stop()
	l.told.Close()
}

// freeAddress is a loopback address nobody listens on now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
