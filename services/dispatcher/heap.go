package dispatcher

// headroom is memory that is asked for and never touched, so that it costs none (the operating system gives no page for it).
// The collector lets garbage grow to the size of what lives, and little lives in a dispatcher: without this it would collect
// every few hundred deliveries.
const headroom = 4 << 20

// reserve returns the headroom. It has its effect as long as it is referred to.
func reserve() []byte { return make([]byte, headroom) }
