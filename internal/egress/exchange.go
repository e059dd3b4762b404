package egress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxInformational is how many answers 1xx are read before the one that counts.
const maxInformational = 5

// exchange sends the request and reads the head of the answer. silent says of an error that the receiver had not said
// anything yet.
func (t *transport) exchange(call *call, c *h1conn) (answer *http.Response, silent bool, err error) {
	if err := c.obey(call.ctx, call.deadline); err != nil {
		return nil, true, err
	}
	c.begin()
	err = call.message.write(c.conn)
	call.watch.wrote(err)
	if wrote := err; wrote != nil {
		// The receiver may have answered before it had read all, and closed.
		if err = c.obey(call.ctx, lastWord(call.deadline)); err == nil {
			answer, err = head(call, c)
		}
		if err != nil {
			return nil, c.silent(), wrote
		}
		answer.Close = true
	} else if answer, err = head(call, c); err != nil {
		return nil, c.silent(), err
	}
	body := &h1body{conn: c, body: answer.Body, call: call, keep: !answer.Close, pool: &t.pool}
	answer.Body = body
	if answer.ContentLength == 0 { // there is nothing to read
		body.finish(true)
	}
	return answer, false, nil
}

// head reads the head of the answer that counts.
func head(call *call, c *h1conn) (*http.Response, error) {
	if _, err := c.reader.Peek(1); err != nil {
		return nil, noAnswer(err)
	}
	call.watch.answered()
	for range maxInformational + 1 {
		answer, err := http.ReadResponse(c.reader, call.request)
		if err != nil {
			if c.exhausted() {
				err = fmt.Errorf("the answer's headers exceeded %d bytes", maxHeaderBytes)
			}
			return nil, noAnswer(err)
		}
		if answer.StatusCode == http.StatusSwitchingProtocols { // which nobody asked for; what follows is no HTTP
			answer.Close = true
		}
		if answer.StatusCode/100 != 1 || answer.StatusCode == http.StatusSwitchingProtocols {
			c.unbound()
			return answer, nil
		}
	}
	return nil, fmt.Errorf("more than %d answers of the kind 1xx", maxInformational)
}

// noAnswer names the end of a connection.
func noAnswer(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
