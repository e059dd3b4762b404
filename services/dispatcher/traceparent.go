package dispatcher

// traceParentLen is the length of a traceparent of version 00 (W3C Trace Context).
const traceParentLen = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// isTraceParent reports whether text is a traceparent: what a publisher sends gets into our headers only as what it should be.
func isTraceParent(text string) bool {
	if len(text) != traceParentLen {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 2, 35, 52:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
