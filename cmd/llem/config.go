package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/llenergymeasure/llem/internal/study"
)

type configCmd struct {
	Init     configInitCmd     `cmd:"" help:"Print a commented experiment file to start from."`
	Validate configValidateCmd `cmd:"" help:"Check an experiment file and print it with every default, or a study and print its points."`
	Schema   configSchemaCmd   `cmd:"" help:"Print the JSON Schema of experiment and study files, for editors."`
}

type configInitCmd struct {
	File string `arg:"" optional:"" predictor:"file" help:"Write here instead of to standard output; never over a file."`
}

func (c *configInitCmd) Run(a *app) error {
	if c.File == "" {
		_, err := a.stdout.Write(study.InitFile())
		return err
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return usageError{fmt.Errorf("config init: %w", err)}
	}
	_, err = f.Write(study.InitFile())
	return errors.Join(err, f.Close())
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
	if study.IsStudy(in.data) {
		_, p, err := in.study()
		if err != nil {
			return err
		}
		planSummary(p, planSaid(a))
		planPoints(a, p)
		return nil
	}
	e, err := in.experiment()
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
