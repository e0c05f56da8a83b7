package main

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/engine"
)

type enginesCmd struct{}

func (enginesCmd) Run(a *app) error {
	for _, name := range engine.Names() {
		if _, err := fmt.Fprintln(a.stdout, name); err != nil {
			return err
		}
	}
	return nil
}
