package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/llenergymeasure/llem/internal/result"
)

type signCmd struct {
	With    string   `required:"" placeholder:"KEY" type:"path" help:"Private SSH key, or the public one of a key that ssh-agent holds."`
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, or their result.json."`
}

func (c *signCmd) Run(a *app) error {
	code, err := a.read(runs(c.Results), func(r *result.Record, dir string) (int, error) {
		if r.State != result.Whole {
			fmt.Fprintf(a.stderr, "llem: %s is not signed: its record is %s; llem verify %s says why\n", dir, r.State, dir)
			return exitFailed, nil
		}
		if err := sign(a.ctx, c.With, filepath.Join(dir, result.RecordFile)); err != nil {
			return exitUsage, usageError{err}
		}
		fmt.Fprintln(a.stdout, filepath.Join(dir, result.SignatureFile))
		return exitDone, nil
	})
	return ended(err, code)
}

// signatureOf is the namespace of llem's signatures, by which one that was made for
// something else, such as a commit, is no signature of a record.
const signatureOf = "llem"

// sign writes the signature of the file at path beside it.
func sign(ctx context.Context, key, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := os.ReadFile(key); err != nil {
		return fmt.Errorf("--with: %w", err)
	}
	out, said, err := keygen(ctx, text, "-Y", "sign", "-n", signatureOf, "-f", key)
	switch {
	case errors.Is(err, exec.ErrNotFound) || ctx.Err() != nil:
		return err
	case err != nil && strings.Contains(said, "passphrase"):
		return fmt.Errorf("--with %s has a passphrase, which llem does not ask for: give the key to ssh-agent (ssh-add %s) and sign with its public key", key, shellWord(key))
	case err != nil:
		return fmt.Errorf("--with %s: ssh-keygen made no signature: %s", key, said)
	}
	return result.Open(filepath.Dir(path)).PutFile(result.SignatureFile, out)
}

// keygen runs ssh-keygen on a message. It has no terminal and no program to ask for a
// passphrase with, so that it never waits for one.
func keygen(ctx context.Context, message []byte, args ...string) (out []byte, said string, err error) {
	cmd := exec.CommandContext(ctx, "ssh-keygen", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(message), &stdout, &stderr
	cmd.Env = append(slices.Clone(os.Environ()), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=/bin/false", "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("signatures are made and checked by ssh-keygen: install OpenSSH's client (on Debian and Ubuntu: apt-get install openssh-client): %w", err)
	}
	said = strings.Join(strings.Fields(strings.ReplaceAll(stderr.String(), "\r", "")), " ")
	if said == "" && err != nil {
		said = err.Error()
	}
	return stdout.Bytes(), said, err
}

// signers is a file of those whose signatures are taken: as ssh-keygen -Y verify reads
// it, or a public key.
type signers struct {
	file string
	done func() // removes a file that was made of a public key
}

// readSigners reads --signer.
func readSigners(path string) (signers, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return signers{}, fmt.Errorf("--signer: %w", err)
	}
	kind, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch {
	case strings.Contains(string(text), "PRIVATE KEY"):
		return signers{}, fmt.Errorf("--signer: %s is a private key: give its public one (%s.pub), or a file of allowed signers", path, path)
	case !strings.HasPrefix(kind, "ssh-") && !strings.HasPrefix(kind, "ecdsa-") && !strings.HasPrefix(kind, "sk-"):
		return signers{file: path, done: func() {}}, nil
	}
	f, err := os.CreateTemp("", "llem-signers-")
	if err != nil {
		return signers{}, err
	}
	_, err = fmt.Fprintf(f, "%s namespaces=%q %s\n", filepath.Base(path), signatureOf, strings.TrimSpace(string(text)))
	return signers{file: f.Name(), done: func() { os.Remove(f.Name()) }}, errors.Join(err, f.Close())
}

// check says whose signature the record in dir has; ok is false where it is of none of
// the signers.
func (s signers) check(ctx context.Context, dir string) (seen string, ok bool, err error) {
	sig := filepath.Join(dir, result.SignatureFile)
	switch st, err := os.Lstat(sig); {
	case err != nil:
		return "there is none: llem sign makes one", false, nil
	case !st.Mode().IsRegular():
		return "it is not a file (" + st.Mode().Type().String() + ")", false, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, result.RecordFile))
	if err != nil {
		return "", false, err
	}
	out, said, err := keygen(ctx, nil, "-Y", "find-principals", "-s", sig, "-f", s.file)
	if errors.Is(err, exec.ErrNotFound) || ctx.Err() != nil {
		return "", false, err
	}
	who, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || who == "" {
		return "it is of none of the signers: " + said, false, nil
	}
	who, _, _ = strings.Cut(who, ",")
	if _, said, err = keygen(ctx, text, "-Y", "verify", "-n", signatureOf, "-f", s.file, "-I", who, "-s", sig); err != nil {
		return "it is not of this " + result.RecordFile + ": " + said, false, ctx.Err()
	}
	return "of " + who, true, nil
}
