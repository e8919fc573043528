"""The verbs on people, their sign-in and their keys. Each is one transaction with one log entry."""

from people.actions.keys import (
    create_detector_key,
    create_token,
    limit_detector_key,
    replace_detector_key,
    revoke_detector_key,
    revoke_token,
)
from people.actions.mail import clear_mail_address, confirm_mail_address, set_mail_address
from people.actions.people import (
    create_user,
    disable,
    enable,
    give_one_time_password,
    rename,
    set_password,
    set_role,
)
from people.actions.second_factor import (
    add_app,
    add_passkey,
    make_recovery_codes,
    remove_app,
    remove_passkey,
    reset_second_factor,
)
from people.actions.sign_in import (
    change_own_password,
    end_sessions,
    note_lockout,
    note_sign_in,
    note_sign_out,
)

__all__ = [
    "add_app",
    "add_passkey",
    "change_own_password",
    "clear_mail_address",
    "confirm_mail_address",
    "create_detector_key",
    "create_token",
    "create_user",
    "disable",
    "enable",
    "end_sessions",
    "give_one_time_password",
    "limit_detector_key",
    "make_recovery_codes",
    "note_lockout",
    "note_sign_in",
    "note_sign_out",
    "remove_app",
    "remove_passkey",
    "rename",
    "replace_detector_key",
    "reset_second_factor",
    "revoke_detector_key",
    "revoke_token",
    "set_mail_address",
    "set_password",
    "set_role",
]
