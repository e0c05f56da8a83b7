package engine

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// Address is where a server is, and what goes with every request to it.
type Address struct {
	URL string
	// Header is sent to this server alone: its key, and what a gateway asks for. It
	// is printed nowhere.
	Header http.Header `json:"-"`
	// KeyFrom says where the key in Header comes from; empty: none is sent.
	KeyFrom string
}

// String is the URL alone.
func (a Address) String() string { return a.URL }

// GoString is the URL alone: what is sent with it is secret.
func (a Address) GoString() string { return fmt.Sprintf("engine.Address{URL: %q}", a.URL) }

// request asks the server for a route.
func (a Address) request(ctx context.Context, method, route string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.URL+route, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, a.Header)
	return req, nil
}

// most is the largest answer to a question that llem reads whole.
const most = 4 << 20

// readAll reads an answer of at most limit bytes.
func readAll(body io.Reader, limit int64, url string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: the answer is over %d bytes, more than llem reads of one: it is no answer of an engine's server", url, limit)
	}
	return data, nil
}
