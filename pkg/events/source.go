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

// checkBare refuses an event that does not say itself what it is and who it is from, where only certain services publish its type.
// JetStream answers where it is asked to, on the subject of such a type too, and nobody is asked whether he may have that: what it
// sends there, an ack or a status, is no event.
func checkBare(eventType string) error {
	t, known := FindType(eventType)
	if !known || t.ByAnyone() || strings.Contains(t.Publisher, publisherAnyService) {
		return nil
	}
	return Errorf(CodeInvalidArgument, "events of type %q come from %s only, and say so themselves: type and source are missing", truncate(eventType, MaxTypeLength), t.Publisher)
}

func isService(name string) bool {
	switch name {
	case ServiceCIWatch, ServiceEmbedder, ServiceGenerator, ServiceDispatcher, ServiceSecretd:
		return true
	default:
		return false
	}
}
