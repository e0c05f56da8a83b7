package launch

import "errors"

// Kinds of a launcher's errors; errors.Is finds them.
var (
	// ErrImage is an image that cannot be run: another must be named.
	ErrImage = errors.New("image cannot be run")
	// ErrNoImage is an image that is not on this host and is not, or cannot be, pulled.
	ErrNoImage = Mark(ErrImage, errors.New("image not found"))
	// ErrHost is a host that cannot run the container until somebody changes it.
	ErrHost = errors.New("the host cannot run the container")
	// ErrAway is a daemon or a registry that does not answer, and may again.
	ErrAway = errors.New("the launcher's daemon does not answer")
	// ErrNoLister is a container that was given GPUs and cannot list them.
	ErrNoLister = errors.New("its image runs no nvidia-smi")
)

// Mark is err in the same words, which errors.Is also finds to be of a kind.
func Mark(kind, err error) error { return &marked{err, kind} }

type marked struct{ err, kind error }

func (m *marked) Error() string   { return m.err.Error() }
func (m *marked) Unwrap() []error { return []error{m.err, m.kind} }
