// Cairn's ML-DSA-44 cosignature with another implementation of FIPS 204 and a message of its own.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"filippo.io/mldsa"
)

// cosigned is a cosignature taken apart: key, message, signature.
type cosigned struct {
	key       *mldsa.PublicKey
	message   []byte
	signature []byte
}

func mlDsaSample() (*cosigned, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(sample("ml-dsa-44/vkey")), "+")
	id, encoded, _ := strings.Cut(rest, "+")
	payload, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(payload) != 1313 || payload[0] != 6 {
		return nil, fmt.Errorf("not an ML-DSA-44 key: %v", err)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), payload...))
	if id != fmt.Sprintf("%x", sum[:4]) {
		return nil, fmt.Errorf("key id %s", id)
	}
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), payload[1:])
	if err != nil {
		return nil, err
	}
	text, lines, _ := strings.Cut(sample("ml-dsa-44/checkpoint"), "\n\n")
	_, line, found := strings.Cut(lines, "— "+name+" ")
	blob, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
	if !found || err != nil || len(blob) != 4+8+2420 || !bytes.Equal(blob[:4], sum[:4]) {
		return nil, fmt.Errorf("not an ML-DSA-44 cosignature: %v", err)
	}
	head := strings.Split(text, "\n")
	root, err := base64.StdEncoding.DecodeString(head[2])
	if err != nil {
		return nil, err
	}
	message := []byte("subtree/v1\n\x00")
	message = append(append(message, byte(len(name))), name...)
	message = append(message, blob[4:12]...)
	message = append(append(message, byte(len(head[0]))), head[0]...)
	message = binary.BigEndian.AppendUint64(message, 0)
	message = binary.BigEndian.AppendUint64(message, 15)
	message = append(message, root...)
	return &cosigned{key, message, blob[12:]}, nil
}

func mlDsa() {
	c, err := mlDsaSample()
	if !test("mldsa_must_read_our_key_and_cosignature", err) {
		return
	}
	test("mldsa_must_verify_our_cosignature", mldsa.Verify(c.key, c.message, c.signature, nil))
	other := bytes.Clone(c.message)
	other[len(other)-1] ^= 1
	refused("mldsa_must_refuse_another_root", mldsa.Verify(c.key, other, c.signature, nil))

	secret, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), bytes.Repeat([]byte{6}, 32))
	if err == nil && !secret.PublicKey().Equal(c.key) {
		err = fmt.Errorf("the seed gives another key")
	}
	var again []byte
	if err == nil {
		again, err = secret.SignDeterministic(c.message, nil)
	}
	if err == nil && !bytes.Equal(again, c.signature) {
		err = fmt.Errorf("another signature")
	}
	test("mldsa_must_make_the_same_signature_from_the_seed", err)
}
