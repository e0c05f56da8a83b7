package harness

import (
	"context"
	"io"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
)

// endpoint is a server that ran before llem came, and runs on after it.
type endpoint string

var _ launch.Server = endpoint("")

func (e endpoint) URL() string { return string(e) }
func (endpoint) Info() launch.ContainerInfo {
	return launch.ContainerInfo{Command: []string{}, Route: "endpoint"}
}

// Owns is false: the server's processes were there before and are known.
func (endpoint) Owns(int) (bool, error)                          { return false, nil }
func (endpoint) Done() <-chan struct{}                           { return nil } // never: its life is not ours to see
func (endpoint) Err() error                                      { return nil }
func (endpoint) Log(context.Context, io.Writer, time.Time) error { return nil }
func (endpoint) Stop(context.Context) error                      { return nil }
func (endpoint) Kill(context.Context) error                      { return nil }
