"""Mail to people: plain text, by the configured server; a failure in words that name no address and no secret."""

from smtplib import SMTPException

from django.core.mail import EmailMessage

from spine.destinations import NotSent

__all__ = ["NotSent", "send"]


def send(*, to: str, subject: str, body: str, message_id: str, unsubscribe: str = "") -> None:
    """Hand one message to the mail server; the same `message_id` again is the same message to whoever receives it.

    Raises NotSent when the server is not reached or does not take it.
    """
    headers = {"Message-ID": message_id, "Auto-Submitted": "auto-generated"}
    if unsubscribe:
        headers["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail = EmailMessage(subject=subject, body=body, to=[to], headers=headers)
    try:
        if mail.send() != 1:
            raise NotSent("the mail server took no recipient")
    except (SMTPException, OSError) as error:
        raise NotSent(f"the mail server did not take it ({type(error).__name__})") from None
