package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// reference is images/reference: a small Llama-architecture engine with
// weights drawn from a seed, which counts its own multiply-adds. It runs on
// the CPU whatever GPUs its container is given.
type reference struct{}

// presets are the models that images/reference knows, as reference/PRESET.
var presets = []string{"tiny", "small", "medium", "large"}

const referencePort = 8000

func (reference) Name() string { return "reference" }

func (reference) Spec(e study.Experiment, h Host) (Spec, error) {
	preset, ok := strings.CutPrefix(e.Model, "reference/")
	if !ok || !slices.Contains(presets, preset) {
		return Spec{}, fmt.Errorf("model %q: it has reference/%s", e.Model, strings.Join(presets, ", reference/"))
	}
	if e.DType != "auto" && e.DType != "float32" {
		return Spec{}, fmt.Errorf("dtype %q: it computes in float32 only", e.DType)
	}
	// What llem sets comes first; the server's flags take the last value, so
	// engine.args may override.
	cmd := []string{"--model", preset, "--host", "0.0.0.0", "--port", strconv.Itoa(referencePort), "--seed", strconv.FormatInt(e.Seed, 10)}
	return Spec{
		Engine: "reference", ImageID: h.Image.ID, Cmd: append(cmd, Flags(e.Engine.Args)...), Env: e.Engine.Env,
		Port: referencePort, ReadyPath: "/health", ReadyTimeout: study.Seconds(e.Engine.StartupTimeoutSeconds),
		GPUs: h.GPUs, HFTokenFile: h.TokenFile, Container: e.Engine.Container,
	}, nil
}

// Flags turns engine.args into a command line, sorted by name: true is a bare
// flag, false is left out, a list repeats the flag.
func Flags(args map[string]any) []string {
	names := make([]string, 0, len(args))
	for name := range args {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []string
	for _, name := range names {
		values, many := args[name].([]any)
		if !many {
			values = []any{args[name]}
		}
		for _, v := range values {
			switch v := v.(type) {
			case bool:
				if v {
					out = append(out, "--"+name)
				}
			case float64:
				out = append(out, "--"+name, strconv.FormatFloat(v, 'g', -1, 64))
			default:
				out = append(out, "--"+name, fmt.Sprint(v))
			}
		}
	}
	return out
}

func (reference) Client(baseURL string, o ClientOptions) load.Client {
	return load.NewOpenAI(load.OpenAIOptions{
		BaseURL: baseURL, API: o.API, Model: o.Model, Seed: o.Seed, Temperature: o.Temperature,
		IgnoreEOS: o.IgnoreEOS, ExtraBody: o.ExtraBody, Timeout: o.Timeout, KeepText: o.KeepText, Connections: o.Connections,
	})
}

// probeTimeout bounds one question to a server that is ready.
const probeTimeout = 10 * time.Second

// Probe reads /version and /v1/models.
func (reference) Probe(ctx context.Context, baseURL string) (Info, error) {
	var v struct{ Version string }
	if err := getJSON(ctx, baseURL+"/version", &v); err != nil {
		return Info{}, err
	}
	var models struct {
		Data []struct {
			ID            string `json:"id"`
			Total         int64  `json:"parameters_total"`
			NonEmbedding  int64  `json:"parameters_non_embedding"`
			DType         string `json:"dtype"`
			ContextLength int    `json:"max_model_len"`
			TextLow       int    `json:"text_token_low"`
			TextHigh      int    `json:"text_token_high"`
			Vocabulary    int    `json:"vocab_size"`
			Hidden        int    `json:"hidden_size"`
			Layers        int    `json:"num_layers"`
			Heads         int    `json:"num_heads"`
			HeadDim       int    `json:"head_dim"`
		}
	}
	if err := getJSON(ctx, baseURL+"/v1/models", &models); err != nil {
		return Info{}, err
	}
	if len(models.Data) == 0 {
		return Info{}, fmt.Errorf("%s/v1/models lists no model", baseURL)
	}
	m := models.Data[0]
	return Info{
		Version: v.Version, Model: m.ID, ParametersTotal: m.Total, ParametersNonEmbedding: m.NonEmbedding, ParametersActive: m.NonEmbedding,
		DType: m.DType, ContextLength: m.ContextLength, TextLow: m.TextLow, TextHigh: m.TextHigh, Vocabulary: m.Vocabulary,
		HiddenSize: m.Hidden, Layers: m.Layers, AttentionHeads: m.Heads, HeadDim: m.HeadDim, SyncRoute: true, ByteLevel: true,
	}, nil
}

// Sync returns when nothing is running or waiting in the engine.
func (reference) Sync(ctx context.Context, baseURL string) error {
	_, err := fetch(ctx, http.MethodPost, baseURL+"/sync")
	return err
}

// Counters reads /metrics.
func (reference) Counters(ctx context.Context, baseURL string) (Counters, error) {
	body, err := fetch(ctx, http.MethodGet, baseURL+"/metrics")
	if err != nil {
		return Counters{}, err
	}
	m := ParseMetrics(string(body))
	at := func(name string) int64 {
		if v, ok := m["llem_reference_"+name]; ok {
			return int64(v)
		}
		return -1
	}
	return Counters{
		Running: at("requests_running"), Waiting: at("requests_waiting"), PromptTokens: at("prompt_tokens_total"),
		OutputTokens: at("generation_tokens_total"), MultiplyAdds: at("multiply_adds_total"),
	}, nil
}

// ParseMetrics reads Prometheus' text format and adds up each name's samples
// over its labels. Lines that are no sample, or no finite one, are passed over.
func ParseMetrics(text string) map[string]float64 {
	out := map[string]float64{}
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		name, rest, ok := strings.Cut(line, " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if i := strings.IndexByte(line, '{'); i >= 0 {
			end := strings.LastIndexByte(line, '}')
			if end < i {
				continue
			}
			name, rest = line[:i], line[end+1:]
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		if v, err := strconv.ParseFloat(fields[0], 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[name] += v
		}
	}
	return out
}

func getJSON(ctx context.Context, url string, into any) error {
	body, err := fetch(ctx, http.MethodGet, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// prober never uses a proxy: the server is on this host.
var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// fetch reads a short answer.
func fetch(ctx context.Context, method, url string) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probeTimeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := prober.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %.200s", url, resp.Status, body)
	}
	return body, nil
}
