package engine

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Tell tells the engine of a server that already runs: by the name that it gives
// as the owner of its models, or by a route of its own, else by the names of its
// metrics.
func Tell(ctx context.Context, at Address) (name, how string, err error) {
	var m models
	listed := getJSON(ctx, at, "/v1/models", &m)
	if listed == nil && len(m.Data) > 0 {
		if name := owner(m.Data[0].OwnedBy); name != "" {
			return name, "server's own word", nil
		}
	}
	for _, o := range dialects() {
		var i Info
		if o.more != nil && o.more(ctx, at, &i) == nil && i.Engine == o.name {
			return o.name, "server's own word", nil
		}
	}
	for _, e := range engines {
		route, names := metricNames(e)
		if route == "" {
			continue
		}
		body, err := fetch(ctx, http.MethodGet, at, route)
		if err != nil {
			continue
		}
		samples := ParseMetrics(string(body))
		for _, n := range names {
			if _, ok := samples[n]; ok {
				return e.Name(), "metrics", nil
			}
		}
	}
	if listed != nil {
		return "", "", fmt.Errorf("no server of an engine answers: %w; is it up, and is the address right?", listed)
	}
	return "", "", fmt.Errorf("%w: neither /v1/models nor the metrics of the server at %s name one; name it with --engine or engine.name, this version has %s", ErrUnknown, at, strings.Join(Names(), ", "))
}

// metricNames is where an engine counts, and under which names.
func metricNames(e Engine) (route string, names []string) {
	switch e := e.(type) {
	case interface{ dialect() *openai }:
		o := e.dialect()
		for _, m := range o.counts {
			names = append(names, m.names...)
		}
		return o.metrics, names
	case reference:
		for _, m := range referenceCounts {
			names = append(names, m.names...)
		}
		return "/metrics", names
	}
	return "", nil
}
