package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/record/verify"
	"github.com/llenergymeasure/llem/internal/result"
)

type verifyCmd struct {
	Signer  string   `placeholder:"FILE" type:"path" help:"Check the signature too, by llem sign: a public SSH key, or a file of allowed signers (see ssh-keygen)."`
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, or their result.json."`
}

func (c *verifyCmd) Run(a *app) error {
	by := signers{}
	if c.Signer != "" {
		var err error
		if by, err = readSigners(c.Signer); err != nil {
			return usageError{err}
		}
		defer by.done()
	}
	same, shown := true, 0
	code, err := a.read(runs(c.Results), func(r *result.Record, dir string) (int, error) {
		if shown++; shown > 1 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintln(a.stdout, dir)
		signed, err := by.finding(a, dir)
		if err != nil {
			return exitFailed, err
		}
		for _, f := range append(signed, verify.Record(r, dir, version)...) {
			state := "ok"
			if !f.OK {
				state, same = "differs", false
			}
			fmt.Fprintf(a.stdout, "  %-8s %-24s %s\n", state, f.What, f.Seen)
		}
		return exitDone, nil
	})
	if !same || code != exitDone {
		code = exitFailed
	}
	return ended(err, code)
}

// finding is what is said of a record's signature; nothing where there is none and none
// is asked for.
func (s signers) finding(a *app, dir string) ([]verify.Finding, error) {
	if s.file == "" {
		if _, err := os.Lstat(filepath.Join(dir, result.SignatureFile)); err != nil {
			return nil, nil
		}
		return []verify.Finding{{What: result.SignatureFile, OK: true, Seen: "not checked: --signer says whose it is to be"}}, nil
	}
	seen, ok, err := s.check(a.ctx, dir)
	return []verify.Finding{{What: result.SignatureFile, OK: ok, Seen: seen}}, err
}
