package main

import (
	"fmt"

	"github.com/posener/complete"
	"github.com/willabides/kongplete"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/study"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// The scripts ask llem itself what may come next, so they never age.
var completionScripts = map[string]string{
	"bash": "complete -C llem llem\n",
	"zsh":  "autoload -U +X bashcompinit && bashcompinit\ncomplete -C llem llem\n",
	"fish": `function __llem_complete
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct); and set COMP_LINE "$COMP_LINE "
    llem
end
complete -f -c llem -a "(__llem_complete)"
`,
}

func (c *completionCmd) Run(a *app) error {
	_, err := fmt.Fprint(a.stdout, completionScripts[c.Shell])
	return err
}

func predictors() []kongplete.Option {
	return []kongplete.Option{
		kongplete.WithPredictor("yaml", complete.PredictOr(complete.PredictFiles("*.yaml"), complete.PredictFiles("*.yml"))),
		kongplete.WithPredictor("dir", complete.PredictDirs("*")),
		kongplete.WithPredictor("file", complete.PredictFiles("*")),
		kongplete.WithPredictor("result", complete.PredictFiles("*.json")), // and folders
		kongplete.WithPredictor("engine", complete.PredictSet(engine.Names()...)),
		kongplete.WithPredictor("pull", complete.PredictSet(study.Choices("engine.pull")...)),
		kongplete.WithPredictor("backend", complete.PredictSet(study.Choices("energy.backend")...)),
	}
}
