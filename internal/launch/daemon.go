package launch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Row is one launcher in the table of launchers.
type Row struct {
	Name string
	// Open reaches the launcher's daemon and says why it cannot. Close it.
	Open func(context.Context, Options) (Daemon, error)
	// Misled says that the user may mean another daemon than Open reaches, and what to
	// do about it; empty: nothing says so.
	Misled func() (seen, remedy string)
	Words  Words
}

// Options are what a daemon is opened with.
type Options struct {
	Log *slog.Logger
	// Token is the Hugging Face token for containers that take one.
	Token string
	// Say is called when a pull begins and when it is done, for people; nil: they are
	// not informed.
	Say func(note string)
	// Hurry is closed when the user asks llem a second time to end; nil: never.
	Hurry <-chan struct{}
}

// Words are a launcher's own in what llem says: its name, and what to do about it.
type Words struct {
	Title   string // in sentences, as in "the TITLE daemon"
	Restart string // what to do about a daemon that does not answer as it should
	Room    string // how to make room on the disk of its images
	List    string // where its images are seen
	Fetch   string // the command that pulls an image by hand; its name follows
	Bring   string // the commands that bring an image here that no registry has
	All     string // the command that lists containers, running or not
	NoGPUs  string // what a daemon lacks whose DaemonInfo.GPUs is false
	GPUs    string // how a daemon is made to give GPUs
}

// Away is [ErrAway] in the launcher's words.
func (w Words) Away() error {
	return Mark(ErrAway, fmt.Errorf("the %s daemon does not answer", w.Title))
}

// Daemon is all that a launcher does. Those who use a part of it ask for that part.
type Daemon interface {
	Launcher
	Reaper
	Volumes
	Library
	Trier
	io.Closer
}

// Reaper finds what ended runs have left.
type Reaper interface {
	// Orphans lists the containers that dead runs have left, and those that look like
	// it and are left alone. owner says what is known of the run that holds a lock.
	Orphans(ctx context.Context, owner func(lock string) Owner) (left []Orphan, spared []Spared, err error)
	// Remove kills and removes an orphan; that it is gone already is no error.
	Remove(context.Context, Orphan) error
}

// Orphan is a container that a run has left which is gone.
type Orphan struct {
	ID, Name, Run, State string
	Lock                 string // the file that its owner held
	Created              time.Time
}

// Owner is what is known of the run that a lock is of.
type Owner int

// What is known of a lock's run.
const (
	Dead      Owner = iota // its lock is there, and no process holds it
	Living                 // somebody holds the lock
	Unknown                // no lock is there: the run's folder of locks may be another container's
	Elsewhere              // the lock is in another folder than this llem's
)

// Spared is a container with llem's labels that is left alone, and why.
type Spared struct{ Name, Why string }

// Volumes keep what engines compiled, from one container to the next.
type Volumes interface {
	Caches(context.Context) ([]Volume, error) // by name
	// RemoveCache removes a volume that no container uses.
	RemoveCache(context.Context, Volume) error
}

// Volume is a Cache on this host.
type Volume struct {
	Name, Engine string
	SizeBytes    int64    // negative: not known
	UsedBy       []string // containers, running or not
}

// Library lists the images on this host by name, once for each of their names.
type Library interface {
	Images(context.Context) ([]Image, error)
}

// Trier starts a container of an image with GPUs, counts those that it sees, and
// removes it. run and lock label it, as those of an experiment do. A daemon that gives
// no GPUs is ErrHost; an image that cannot list them, ErrNoLister.
type Trier interface {
	TryGPUs(ctx context.Context, img Image, uuids []string, run, lock string) (seen int, err error)
}
