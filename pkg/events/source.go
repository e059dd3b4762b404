package events

import "strings"

// serviceSource starts the source of what a service publishes: /mlsdm/ciwatch.
const serviceSource = "/mlsdm/"

// checkSource refuses an event that says it is from a service which publishes no such events. On a closed bus only a service can
// publish the types that are its own, so that what bears its name and is accepted is from where its subject is guarded.
func checkSource(source, eventType string) error {
	service, ok := strings.CutPrefix(source, serviceSource)
	if !ok || !isService(service) {
		return nil
	}
	if t, known := FindType(eventType); known && t.PublishedBy(service) {
		return nil
	}
	return Errorf(CodeInvalidArgument, "the source %q is a service that publishes no events of type %q; give your own source", source, truncate(eventType, MaxTypeLength))
}

func isService(name string) bool {
	switch name {
	case ServiceCIWatch, ServiceEmbedder, ServiceGenerator, ServiceDispatcher, ServiceSecretd:
		return true
	default:
		return false
	}
}
