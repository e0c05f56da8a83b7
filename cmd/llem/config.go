package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/study"
)

type configCmd struct {
	Init     configInitCmd     `cmd:"" help:"Print a commented experiment file to start from."`
	Validate configValidateCmd `cmd:"" help:"Check an experiment file and print it with every default, or a study and print its points."`
	Schema   configSchemaCmd   `cmd:"" help:"Print the JSON Schema of experiment and study files, for editors."`
}

type configInitCmd struct {
	File string `arg:"" optional:"" predictor:"file" help:"File to write, which must not exist. Default: standard output."`
}

func (c *configInitCmd) Run(a *app) error {
	if c.File == "" {
		_, err := a.stdout.Write(study.InitFile())
		return err
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return usageError{notWritten(c.File, err)}
	}
	_, err = f.Write(study.InitFile())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("config init: write %s: %w", c.File, err)
	}
	if !a.quiet {
		fmt.Fprintf(a.stderr, "wrote %s; run it with: llem run %s (add --quick to try it in seconds)\n", c.File, shellWord(c.File))
	}
	return nil
}

// notWritten says why a new file cannot be, and what to do.
func notWritten(path string, err error) error {
	dir := filepath.Dir(path)
	st, _ := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrExist) && st != nil && st.IsDir():
		return fmt.Errorf("config init: %s is a folder: name a file in it, such as %s", path, filepath.Join(path, "experiment.yaml"))
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("config init: %s exists and is left as it is: name another file, or remove this one", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("config init: there is no folder %s: make it with mkdir -p %s", dir, shellWord(dir))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("config init: no permission to write in %s: name a file in a folder of yours", dir)
	}
	return fmt.Errorf("config init: %w; name another file", err)
}

// shellWord is a text as one word of a shell.
func shellWord(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("-._/~", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}

type configValidateCmd struct {
	Config string `arg:"" predictor:"yaml" help:"Experiment or study file."`
	Quick  bool   `help:"As with run --quick."`
}

func (c *configValidateCmd) Run(a *app) error {
	in, err := readInput(c.Config, nil, c.Quick)
	if err != nil {
		return err
	}
	if study.IsStudy(in.Data) {
		s, err := campaign.New(in)
		if err != nil {
			return err
		}
		planSummary(s.Plan, planSaid(a))
		planPoints(a, s.Plan)
		return nil
	}
	e, err := oneExperiment(in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s# config_hash: %s\n", e.EffectiveYAML(), e.ConfigHash())
	return err
}

type configSchemaCmd struct{}

func (configSchemaCmd) Run(a *app) error {
	_, err := a.stdout.Write(study.Schema())
	return err
}
