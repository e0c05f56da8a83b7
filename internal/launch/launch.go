package launch

import "context"

// Launcher starts servers in containers.
type Launcher interface {
	// Resolve finds or pulls an image; pull is missing, always or never. An image
	// that is nowhere to be had is ErrNoImage.
	Resolve(ctx context.Context, ref, pull string, progress func(done, total int64)) (Image, error)
	// Launch starts a container and returns when it is ready. Once a container
	// exists the server is non-nil even with an error, and must be stopped.
	Launch(ctx context.Context, spec Spec) (Server, error)
	// Describe asks the daemon what it is; it fails where the daemon does not answer.
	Describe(ctx context.Context) (DaemonInfo, error)
	// Words are those of the launcher's row.
	Words() Words
}

// DaemonInfo is what a daemon says of itself; what it does not say is empty.
type DaemonInfo struct {
	Version, APIVersion string
	Runtimes            []string
	GPUs                bool   // it seems able to give GPUs to containers: a hint, since that shows when one starts
	Root                string // folder of its images
	Elsewhere           string // by what it is known to be on another machine; empty: it is on this one
}

// Image is a container image as the daemon knows it.
type Image struct {
	Ref          string // as the user named it
	ID           string // sha256:… of the configuration
	Digest       string // repo@sha256:…, empty for an image that was never pulled or pushed
	Labels       map[string]string
	Entrypoint   []string
	Cmd          []string
	Env          []string
	User         string
	WorkingDir   string
	Architecture string
	OS           string
	SizeBytes    int64
}
