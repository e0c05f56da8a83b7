// Package docker runs engines in local containers. It is the only place that names the
// Docker client, so that moving to another client of the same API stays a change of one
// package.
//
// In: a spec of what is to be started (a [launch.Spec]). Out: a server that answers, or
// the reason why no server came up.
//
//  1. [reach] connects to the daemon and says why it cannot.
//  2. daemon.Resolve finds or pulls an image and learns its digest.
//  3. daemon.Launch creates a container with as little privilege as an engine needs,
//     starts it, and returns when its server answers or the moment it has died. The server
//     is driven over the container's own address where this host can reach it, so that no
//     userland proxy is in every latency, and over a port published on 127.0.0.1
//     otherwise. GPU support is judged by trying: the daemon refuses a GPU only when the
//     container starts.
//  4. daemon.Orphans finds containers whose run is gone, by the labels that each carries.
//  5. daemon.Caches lists the volumes of what engines compile, which outlive their
//     containers and belong to the container's user.
//
// A secret goes in as a file that the container's user alone may read, and is never an
// argument, a label, or part of the environment.
package docker
