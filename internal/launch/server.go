package launch

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Server is a running engine.
type Server interface {
	URL() string
	Info() ContainerInfo
	Done() <-chan struct{} // closed when the server has died or was stopped
	Err() error            // after Done: nil when it was stopped, else *Exited
	// Owns says whether a process of this host is the server's, or why that cannot
	// be known.
	Owns(pid int) (bool, error)
	// Log copies what the server wrote since a time; the zero time is its start.
	Log(ctx context.Context, w io.Writer, since time.Time) error
	// Stop ends and removes the container; safe to call twice. Its context bounds
	// it: after an error the container may still be there, and Kill removes it.
	Stop(context.Context) error
	// Kill ends and removes the container at once.
	Kill(context.Context) error
}

// ContainerInfo is what a record says of a container.
type ContainerInfo struct {
	ID      string
	Name    string
	Command []string // entrypoint and arguments as run
	Route   string   // container_address | published_port
	// CompileCache says whether an earlier container of the image has left its
	// caches: CacheCold, CacheWarm, or empty where there are none or it is unknown.
	CompileCache string
	StartedAt    time.Time
	ReadyAt      time.Time
}

// States of a compile cache when a container starts.
const (
	CacheCold = "cold"
	CacheWarm = "warm"
)

// Exited says that a container ended by itself.
type Exited struct {
	ExitCode  int
	OOMKilled bool
	LogTail   string // the end of what it wrote, long enough to hold the cause, which may stand far above the last line
}

func (e *Exited) Error() string {
	why := fmt.Sprintf("exit code %d", e.ExitCode)
	if e.OOMKilled {
		why += ", killed for want of memory"
	}
	return "container died: " + why
}

// Stopped says that the container ended as after a request to stop: by a stop signal,
// or with exit code 0.
func (e *Exited) Stopped() bool {
	return !e.OOMKilled && slices.Contains([]int{-1, 0, 128 + 2, 128 + 9, 128 + 15}, e.ExitCode)
}

// NotReady says that a container lived but never answered.
type NotReady struct {
	After   time.Duration
	Last    string // the last answer
	LogTail string // as that of Exited
}

func (e *NotReady) Error() string {
	return fmt.Sprintf("server not ready after %s: %s", e.After.Round(time.Second), e.Last)
}
