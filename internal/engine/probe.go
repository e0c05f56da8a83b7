package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// probeTimeout bounds one question to a server that is ready.
const probeTimeout = 10 * time.Second

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
		return nil, &refusal{url: url, code: resp.StatusCode, status: resp.Status, body: body}
	}
	return body, nil
}

// refusal is an answer other than 200.
type refusal struct {
	url    string
	code   int
	status string
	body   []byte
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s answered %s: %.200s", r.url, r.status, bytes.TrimSpace(r.body))
}
