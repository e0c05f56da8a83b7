package main

import (
	"context"

	"github.com/llenergymeasure/llem/internal/docker"
	"github.com/llenergymeasure/llem/internal/launch"
)

// launchers are the ways to start engines, one row each, the one that llem uses first.
var launchers = []launch.Row{
	docker.Row,
}

func launcher() launch.Row { return launchers[0] }

// openLauncher reaches what starts engines. Close it.
func (a *app) openLauncher(ctx context.Context, opt launch.Options) (launch.Daemon, error) {
	opt.Log = a.log
	return launcher().Open(ctx, opt)
}
