package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/meter"
	"github.com/llenergymeasure/llem/internal/study"
)

func doctorZeusd(a *app) []finding {
	socket := zeusdSocket()
	n, err := meter.FindZeusd(a.ctx, socket)
	if err != nil {
		seen, _, _ := strings.Cut(err.Error(), "; ")
		start := "cargo install zeusd, then: sudo zeusd serve --enable gpu-read"
		if socket != meter.ZeusdSocket {
			start += " --socket-path " + socket
		}
		return []finding{{"zeusd", "optional", seen, start}}
	}
	return []finding{{"zeusd", "ok", fmt.Sprintf("answers on %s for %d GPUs; it does not tell its version", socket, n), ""}}
}

func doctorZeus(a *app) []finding { return doctorPackage(a, "zeus") }

func doctorCodeCarbon(a *app) []finding { return doctorPackage(a, "codecarbon") }

// doctorPackage looks for another's instrument in the Python that a run would take.
func doctorPackage(a *app, kind string) []finding {
	// As of an experiment that leaves it to the environment and the user's own file.
	e, _, err := readExperiment("", []study.Set{{Path: "model", Value: "any", Source: "llem doctor"}}, true)
	if err != nil {
		return []finding{{kind, "lacking", "the configuration cannot be read: " + err.Error(), "mend it; no run starts with it either"}}
	}
	state := "optional"
	if e.Energy.Backend == kind { // the environment or the user's own file asks for it
		state = "lacking"
	}
	python := pythonFor(e.Energy.Python)
	versions, err := meter.FindPackage(a.ctx, python, kind, func(line string) { a.log.Debug(kind, "says", line) })
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		seen = strings.TrimPrefix(seen, kind+": ")
		return []finding{{kind, state, seen, cmp.Or(remedy, "name another Python with energy.python or LLEM_PYTHON")}}
	}
	return []finding{{kind, "ok", fmt.Sprintf("%s, in %s (Python %s)", versions[kind], python, versions["python"]), ""}}
}
