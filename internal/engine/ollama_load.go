package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/study"
)

const (
	// ollamaModel is the model's name in the server, whatever it was made from.
	ollamaModel = "llem"
	numCtx      = "num_ctx"
	// verbatim is a template that adds nothing: without it the text of a completion
	// would be wrapped as a message of a chat.
	verbatim = "{{ .Prompt }}"
)

// ollamaLoad makes a model in the server, of the file that h names or else of one of
// Ollama's library, with the context and the parameters of the experiment, and
// waits until it is in memory. They belong to the model and not to the request
// that loads it: a request with other options would load it again.
func ollamaLoad(ctx context.Context, at Address, e study.Experiment, h Host) (string, error) {
	create := map[string]any{"model": ollamaModel, "parameters": ollamaParameters(e, h)}
	if e.Workload.API == "completions" {
		create["template"] = verbatim
	}
	if h.Model.Path != "" {
		digest, err := ollamaBlob(ctx, at, hostFile(h.Model))
		if err != nil {
			return "", err
		}
		create["files"] = map[string]string{filepath.Base(h.Model.Path): digest}
	} else {
		if err := ollamaPull(ctx, at, e.Model); err != nil {
			return "", err
		}
		create["from"] = e.Model
	}
	if err := ollamaDo(ctx, at, "/api/create", create); err != nil {
		return "", fmt.Errorf("make the model: %w", err)
	}
	body, err := post(ctx, at, "/api/generate", map[string]any{"model": ollamaModel, "keep_alive": -1, "stream": false})
	if err != nil {
		return "", fmt.Errorf("load the model: %w", err)
	}
	defer body.Close()
	var loaded struct{ Done bool }
	data, err := readAll(body, most, at.URL+"/api/generate")
	if err == nil {
		err = json.Unmarshal(data, &loaded)
	}
	if err != nil {
		return "", fmt.Errorf("load the model: %w", err)
	}
	if !loaded.Done {
		return "", errors.New("load the model: the server did not say that it was done")
	}
	return ollamaModel, nil
}

// ollamaSampling is without the server's penalty (1.1 up to August 2026) and cuts.
var ollamaSampling = map[string]any{"repeat_penalty": 1, "top_p": 1, "top_k": 0, "min_p": 0}

// ollamaOwn are the parameters of the model that llem sets: sampling, and the context
// that the planned lengths need.
func ollamaOwn(e study.Experiment, h Host) map[string]any {
	own := maps.Clone(ollamaSampling)
	own[numCtx] = room(e.Workload, h)
	return own
}

// ollamaParameters are those of llem's, and engine.args above them.
func ollamaParameters(e study.Experiment, h Host) map[string]any {
	p := ollamaOwn(e, h)
	for name, v := range e.Engine.Args {
		name = strings.ReplaceAll(strings.TrimLeft(name, "-"), "-", "_")
		if p[name] = v; v == nil {
			delete(p, name)
		}
	}
	return p
}

// ollamaPull has the server fetch a model of the library that it does not have.
func ollamaPull(ctx context.Context, at Address, model string) error {
	body, err := post(ctx, at, "/api/show", map[string]any{"model": model})
	if err == nil {
		return body.Close()
	}
	var answer *refusal
	if !errors.As(err, &answer) || answer.code != http.StatusNotFound {
		return err
	}
	if err := ollamaDo(ctx, at, "/api/pull", map[string]any{"model": model}); err != nil {
		return fmt.Errorf("pull %s from Ollama's library: %w", model, err)
	}
	return nil
}

// ollamaDo asks for a task whose progress comes as lines of JSON, and reads them
// to its end.
func ollamaDo(ctx context.Context, at Address, route string, task any) error {
	body, err := post(ctx, at, route, task)
	if err != nil {
		return err
	}
	defer body.Close()
	var last struct{ Status, Error string }
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, ollamaLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return fmt.Errorf("%s%s: %w", at, route, err)
		}
		if last.Error != "" {
			return fmt.Errorf("%.500s", last.Error)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s%s: a line of progress is over %d bytes, more than llem reads of one", at, route, ollamaLine)
	case err != nil:
		return fmt.Errorf("%s%s: %w", at, route, err)
	case last.Status != "success":
		return fmt.Errorf("%s%s ended at %.100q and not with success", at, route, last.Status)
	}
	return nil
}

// ollamaLine is the longest line of progress that is read.
const ollamaLine = 1 << 20

// ollamaBlob hands the server a file, under the name of its content.
func ollamaBlob(ctx context.Context, at Address, file string) (digest string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, reader{ctx, f})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	digest = fmt.Sprintf("sha256:%x", sum.Sum(nil))
	req, err := at.request(ctx, http.MethodPost, "/api/blobs/"+digest, io.NopCloser(f))
	if err != nil {
		return "", err
	}
	req.ContentLength = size
	body, err := answered(at, "/api/blobs/"+digest, req)
	if err != nil {
		return "", fmt.Errorf("hand over %s: %w", file, err)
	}
	return digest, body.Close()
}

// reader ends a long read with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// post sends JSON; close what it returns. Its context bounds it.
func post(ctx context.Context, at Address, route string, what any) (io.ReadCloser, error) {
	b, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	req, err := at.request(ctx, http.MethodPost, route, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return answered(at, route, req)
}

// answered sends a request; anything but a success is a *refusal.
func answered(at Address, route string, req *http.Request) (io.ReadCloser, error) {
	resp, err := prober.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, refused(at, route, resp)
}
