"""What the log says about people and keys."""

SENTENCES = {
    "person.created": "created the account of {username} as {role}",
    "person.password_set": "set the password of {username}",
    "person.signed_in": "signed in",
    "person.signed_out": "signed out",
    "token.created": "created an API token for {username}",
    "detector_key.created": "created a key for the detector {detector}",
}
