package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
)

// A container's own address cannot be reached from everywhere: the daemon may run
// in a virtual machine. Its published port can.
func TestTheRouteToAContainer(t *testing.T) {
	ready := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(ready.Close)
	_, port, err := net.SplitHostPort(ready.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	published := fmt.Sprintf(`{"%s/tcp":[{"HostIp":"127.0.0.1","HostPort":"%s"}]}`, port, port)
	for name, c := range map[string]struct{ address, ports, route string }{
		"its own address":          {"127.0.0.1", published, "container_address"},
		"an address that is far":   {"255.255.255.255", published, "published_port"}, // to which no host lets TCP connect
		"no address":               {"", published, "published_port"},
		"nothing is published":     {"127.0.0.1", "{}", "container_address"},
		"published to no host yet": {"127.0.0.1", fmt.Sprintf(`{"%s/tcp":null}`, port), "container_address"},
	} {
		t.Run(name, func(t *testing.T) {
			removed := make(chan struct{})
			remove := sync.OnceFunc(func() { close(removed) })
			fake(t, map[string]http.HandlerFunc{
				"POST /containers/create":   say(201, `{"Id":"c1"}`),
				"POST /containers/c1/start": say(204, ``),
				"POST /containers/c1/wait": func(w http.ResponseWriter, _ *http.Request) {
					_ = http.NewResponseController(w).Flush()
					<-removed
				},
				"GET /containers/c1/json": say(200, fmt.Sprintf(`{"Id":"c1","State":{"Running":true},"NetworkSettings":{"Ports":%s,"Networks":{"bridge":{"IPAddress":%q}}}}`, c.ports, c.address)),
				"DELETE /containers/c1": func(w http.ResponseWriter, _ *http.Request) {
					remove()
					w.WriteHeader(http.StatusNoContent)
				},
			})
			t.Cleanup(remove) // before the daemon is closed, which waits for it
			var n int
			if _, err := fmt.Sscan(port, &n); err != nil {
				t.Fatal(err)
			}
			s, err := openFake(t).Launch(t.Context(), launch.Spec{Port: n, ReadyPath: "/", ReadyTimeout: 10 * time.Second, Name: "n"})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Info().Route; got != c.route || !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
				t.Errorf("route %s to %s, want %s to 127.0.0.1", got, s.URL(), c.route)
			}
			if err := s.Kill(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}

// A container that has died is not ready, though another that was given its
// address answers.
func TestAnotherContainersAnswerIsNone(t *testing.T) {
	another := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(another.Close)
	address := another.Listener.Addr().(*net.TCPAddr)
	fake(t, map[string]http.HandlerFunc{
		"POST /containers/create":   say(201, `{"Id":"c1"}`),
		"POST /containers/c1/start": say(204, ``),
		"POST /containers/c1/wait": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(300 * time.Millisecond) // the daemon tells of the death when the address is given away
			say(200, `{"StatusCode":137}`)(w, nil)
		},
		"GET /containers/c1/json": say(200, `{"Id":"c1","State":{"Running":false,"OOMKilled":true,"ExitCode":137},"NetworkSettings":{"Networks":{"bridge":{"IPAddress":"127.0.0.1"}}}}`),
		"DELETE /containers/c1":   say(204, ``),
	})
	s, err := openFake(t).Launch(t.Context(), launch.Spec{Port: address.Port, ReadyPath: "/", ReadyTimeout: 10 * time.Second, Name: "n"})
	var died *launch.Exited
	if !errors.As(err, &died) || died.ExitCode != 137 || !died.OOMKilled {
		t.Errorf("error %v, want that the container died", err)
	}
	if s != nil {
		if err := s.Kill(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}
