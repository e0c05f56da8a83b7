package engine

import (
	"strings"
	"testing"
)

func TestTellTheEngineOfARunningServer(t *testing.T) {
	for want, answers := range map[string]map[string]string{
		"vllm by server's own word": {"GET /v1/models": `{"data":[{"id":"m","owned_by":"vllm"}]}`},
		"tgi by server's own word": {
			"GET /v1/models": `{"data":[{"id":"/models/m","owned_by":"/models/m"}]}`, "GET /info": `{"router":"text-generation-router","version":"3.3.7"}`,
		},
		"ollama by server's own word": {"GET /v1/models": `{"data":[{"id":"a","owned_by":"library"}]}`, "GET /api/ps": `{"models":[]}`},
		"transformers by metrics":     {"GET /v1/models": `{"data":[{"id":"m"}]}`, "GET /metrics": "llem_transformers_requests_running 0\n"},
		"llamacpp by metrics":         {"GET /v1/models": `{"data":[{"id":"m","owned_by":"me"}]}`, "GET /metrics": "llamacpp:prompt_tokens_total 0\n"},
		"reference by metrics":        {"GET /v1/models": `{"data":[{"id":"m"}]}`, "GET /metrics": "llem_reference_requests_running 0\n"},
	} {
		name, how, err := Tell(t.Context(), Address{URL: server(t, answers)})
		if got := name + " by " + how; err != nil || got != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	}
	for says, answers := range map[string]map[string]string{
		"is it up":  {},
		"--engine":  {"GET /v1/models": `{"data":[{"id":"m","owned_by":"me"}]}`, "GET /metrics": "go_goroutines 3\n"},
		"--engine ": {"GET /v1/models": `{"data":[]}`},
	} {
		if _, _, err := Tell(t.Context(), Address{URL: server(t, answers)}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}
