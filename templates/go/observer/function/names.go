package function

// sentence is how a session ended.
func sentence(session, status, cause string) string {
	if session == "" {
		session = "the session"
	}
	ended := session + " has " + status
	if cause == "" {
		return ended
	}
	return ended + ": " + cause
}
