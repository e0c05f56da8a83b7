package engine

import (
	"errors"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// anyServer is the engine of servers of which no more is known than that they have
// OpenAI's API. They are asked for nothing beyond that API, and nothing is believed of
// one that was not seen: it takes text alone, has no field to ignore the end
// of an answer, no metrics, no cache that could be emptied and no version. What its
// models are called is its own matter.
var anyServer = &Engine{
	name:   "openai",
	traits: Traits{OwnNames: true, Running: true, Versions: "any"},
	spec: func(study.Experiment, Host) (launch.Spec, error) {
		return launch.Spec{}, errors.New("it is of servers that already run: start the container yourself, and give its address with --base-url or engine.endpoint")
	},
	docs: docs{
		run:   "five servers of others, see [below](#any-server-with-openais-api)",
		image: "none: it is of servers that already run",
		hits:  "not reported",
	},
}
