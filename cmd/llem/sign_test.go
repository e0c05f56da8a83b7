package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// sshKey makes a key pair, with a passphrase or without: key and key.pub.
func sshKey(t *testing.T, passphrase string) (private string) {
	t.Helper()
	private = filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "me@here", "-f", private).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen (openssh-client) is needed: %v\n%s", err, out)
	}
	return private
}

func TestASignatureIsOfItsSignerAndRecord(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir, key, other := finished(t, h, "signed", true), sshKey(t, ""), sshKey(t, "")
	allowed := h.path("allowed")
	pub, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allowed, []byte("someone@else ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGBlYXJsaWVyIHRoYW4gdGhlIG90aGVyIG9uZSBpcyBubyA=\nme@here,us@here "+string(pub)), 0o644); err != nil {
		t.Fatal(err)
	}
	differs := "differs  " + result.SignatureFile
	expect := func(what, signer, says string) {
		t.Helper()
		if o := h.llem("verify", "--signer", signer, dir); !strings.Contains(o.stdout+o.stderr, says) {
			t.Errorf("%s: exit %d, want %q\n%s%s", what, o.code, says, o.stdout, o.stderr)
		}
	}
	expect("no signature", key+".pub", "there is none: llem sign makes one")
	if o := h.llem("sign", "--with", key, dir); o.code != exitDone || !strings.Contains(o.stdout, filepath.Join(dir, result.SignatureFile)) {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := h.llem("verify", dir); !strings.Contains(o.stdout, "not checked: --signer") {
		t.Errorf("no signature was asked for, and one was spoken of:\n%s", o.stdout)
	}
	expect("its public key", key+".pub", "ok       "+result.SignatureFile+"          of key.pub")
	expect("a file of allowed signers", allowed, "ok       "+result.SignatureFile+"          of me@here")
	expect("another's key", other+".pub", differs+"          it is of none of the signers")
	expect("a private key", key, "is a private key: give its public one")
	expect("a file that is not there", h.path("nowhere"), "--signer: open "+h.path("nowhere"))
	rewrite(t, dir, `"name": "signed"`, `"name": "Signed"`)
	expect("a changed record", key+".pub", differs+"          it is not of this result.json")
	rewrite(t, dir, `"name": "Signed"`, `"name": "signed"`)
	expect("as it was", key+".pub", "of key.pub")
	sig := filepath.Join(dir, result.SignatureFile)
	signature(t, key, "git", filepath.Join(dir, result.RecordFile), sig)
	expect("a signature of another purpose", key+".pub", differs+"          it is")
	if err := os.WriteFile(sig, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect("a damaged signature", key+".pub", differs)
}

// signature makes one by ssh-keygen alone.
func signature(t *testing.T, key, namespace, of, to string) {
	t.Helper()
	in, err := os.Open(of)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key)
	cmd.Stdin = in
	out, err := cmd.Output()
	if err == nil {
		err = os.WriteFile(to, out, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What cannot be signed with is said, and no passphrase is waited for.
func TestKeysThatDoNotSign(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := finished(t, h, "whole", true)
	h.llem("sign", "--with", h.path("nowhere"), dir).says(t, exitUsage, "--with: open "+h.path("nowhere"))
	h.llem("sign", "--with", sshKey(t, "a passphrase"), dir).says(t, exitUsage, "has a passphrase", "ssh-add")
	h.llem("sign", "--with", h.config("model: m\n"), dir).says(t, exitUsage, "ssh-keygen made no signature")
	h.llem("sign", dir).says(t, exitUsage, "--with")
	key := sshKey(t, "")
	cut := finished(t, h, "cut", false)
	if o := h.llem("sign", "--with", key, cut); o.code != exitFailed || !strings.Contains(o.stderr, "is not signed: its record is unfinished") {
		t.Errorf("a record that was cut off: exit %d\n%s", o.code, o.stderr)
	}
	rewrite(t, dir, `"name": "whole"`, `"name": "other"`)
	if o := h.llem("sign", "--with", key, dir); o.code != exitFailed || !strings.Contains(o.stderr, "is not signed: its record is altered") {
		t.Errorf("a record that was altered: exit %d\n%s", o.code, o.stderr)
	}
	bare := newHost(t)
	whole := finished(t, bare, "bare", true)
	bare.set("PATH", bare.dir)
	bare.llem("sign", "--with", key, whole).says(t, exitUsage, "ssh-keygen", "apt-get install openssh-client")
}
