// The trust policy (C2SP tlog-policy): which log, which witnesses, which quorum.

package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// group is a set of members, witnesses or other groups, of which threshold must hold.
type group struct {
	threshold int
	members   []string
}

type policy struct {
	logs      map[string]note.Verifier
	witnesses map[string]*cosigner
	groups    map[string]group
	quorum    string
}

func parsePolicy(text string) (*policy, error) {
	p := &policy{
		logs:      map[string]note.Verifier{},
		witnesses: map[string]*cosigner{},
		groups:    map[string]group{},
	}
	for number, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.add(words); err != nil {
			return nil, fmt.Errorf("trust policy line %d: %w", number+1, err)
		}
	}
	if p.quorum == "" {
		return nil, fmt.Errorf("trust policy has no quorum")
	}
	return p, nil
}

func (p *policy) add(words []string) error {
	switch {
	case words[0] == "log" && len(words) >= 2:
		verifier, err := note.NewVerifier(words[1])
		if err != nil {
			return err
		}
		p.logs[verifier.Name()] = verifier
	case words[0] == "witness" && len(words) >= 3:
		verifier, err := newCosigner(words[2])
		if err != nil {
			return err
		}
		p.witnesses[words[1]] = verifier
	case words[0] == "group" && len(words) >= 4:
		members := words[3:]
		threshold := len(members)
		switch words[2] {
		case "all":
		case "any":
			threshold = 1
		default:
			number, err := strconv.Atoi(words[2])
			if err != nil || number < 1 || number > len(members) {
				return fmt.Errorf("threshold %q", words[2])
			}
			threshold = number
		}
		p.groups[words[1]] = group{threshold, members}
	case words[0] == "quorum" && len(words) == 2:
		p.quorum = words[1]
	default:
		return fmt.Errorf("unknown line %q", strings.Join(words, " "))
	}
	return nil
}

// holds says whether name, a witness or a group, is satisfied by the witnesses that signed.
func (p *policy) holds(name string, signed map[string]bool) bool {
	if name == "none" {
		return true
	}
	if witness, ok := p.witnesses[name]; ok {
		return signed[witness.vkey]
	}
	count := 0
	for _, member := range p.groups[name].members {
		if p.holds(member, signed) {
			count++
		}
	}
	threshold := p.groups[name].threshold
	return threshold > 0 && count >= threshold
}
