// Package docker runs engines in local containers. It is the only place that
// names the Docker client, so that moving to another client of the same API
// stays a change of one package.
//
// [Open] reaches the daemon and says why it cannot. [Daemon.Resolve] finds or
// pulls an image and learns its digest. [Daemon.Launch] creates a container
// with as little privilege as an engine needs, starts it, and returns when its
// server answers or the moment it has died. The server is driven over the
// container's own address where this host can reach it, so that no userland
// proxy stands in every latency, and over a port published on 127.0.0.1
// otherwise.
//
// GPU support is judged by trying: the daemon refuses a GPU only when the
// container starts. Every container carries labels that say which run it
// belongs to; [Daemon.Orphans] finds those whose run is gone.
//
// What an engine compiles goes into volumes that outlive its container, and that
// belong to the container's user. [Daemon.Caches] lists them.
//
// A secret goes in as a file that the container's user alone may read, and is
// never an argument, a label, or part of the environment.
package docker
