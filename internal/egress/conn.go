package egress

import (
	"crypto/tls"
	"net"
	"time"
)

// Times are how long the making of a connection took, by stage.
type Times struct {
	DNS     time.Duration // 0 for an address
	Connect time.Duration // TCP, and with a proxy all that it takes until that has connected
	TLS     time.Duration // 0 for plain http
}

// conn is a connection that knows what its making took.
type conn struct {
	net.Conn
	times Times
}

// TimesOf returns what the making of a connection of a Guard's client took, as a [net/http/httptrace.GotConnInfo] has it;
// of others it returns nothing. Of a connection that was used before this says nothing of the present request.
func TimesOf(c net.Conn) Times {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	if made, ok := c.(*conn); ok {
		return made.times
	}
	return Times{}
}
