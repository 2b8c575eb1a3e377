// Witness cosignatures (C2SP tlog-cosignature, cosignature/v1) as a note.Verifier.

package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// cosignatureType is the type byte of Ed25519 cosignature keys.
const cosignatureType = 0x04

type cosigner struct {
	vkey   string
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id, encoded, found := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != cosignatureType {
		return nil, fmt.Errorf("%q is not an Ed25519 cosigner key", vkey)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:4])
	if id != fmt.Sprintf("%08x", hash) {
		return nil, fmt.Errorf("%q has a wrong key id", vkey)
	}
	return &cosigner{vkey, name, hash, ed25519.PublicKey(key[1:])}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature[:8])
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return time > 0 && ed25519.Verify(c.public, []byte(message), signature[8:])
}
