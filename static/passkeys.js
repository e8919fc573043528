// Passkeys (WebAuthn): hands the server's challenge to the browser and the browser's answer back, in a form.
// <form data-passkey="get|create" data-options="id of a JSON block" or data-options-from="address">, with a hidden
// field for the answer and a button [data-passkey-start]. The form is hidden where the browser knows no passkeys.
"use strict";

(() => {
  const bytes = (text) => {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
    return Uint8Array.from(atob(padded), (sign) => sign.charCodeAt(0));
  };

  const text = (buffer) => {
    const signs = Array.from(new Uint8Array(buffer), (number) => String.fromCharCode(number)).join("");
    return btoa(signs).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  function read(options) {
    const asked = { ...options.publicKey, challenge: bytes(options.publicKey.challenge) };
    if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
    if (asked.excludeCredentials) asked.excludeCredentials = named(asked.excludeCredentials);
    if (asked.allowCredentials) asked.allowCredentials = named(asked.allowCredentials);
    return { publicKey: asked };
  }

  function written(credential) {
    const { response } = credential;
    const parts = { clientDataJSON: text(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) parts[name] = text(response[name]);
    }
    if (response.getTransports) parts.transports = response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: parts,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  }

  async function options(form) {
    if (form.dataset.options) return JSON.parse(document.getElementById(form.dataset.options).textContent);
    const answer = await fetch(form.dataset.optionsFrom, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("the server gave no challenge");
    return (await answer.json()).options;
  }

  async function start(form) {
    const trouble = form.querySelector("[data-passkey-trouble]");
    const button = form.querySelector("[data-passkey-start]");
    trouble.textContent = "";
    button.disabled = true;
    try {
      const asked = read(await options(form));
      const credential = await navigator.credentials[form.dataset.passkey](asked);
      form.querySelector('input[name$="credential"]').value = written(credential);
      form.submit();
    } catch (error) {
      trouble.textContent = error.name === "NotAllowedError"
        ? "The browser got no passkey: it was refused, or took too long."
        : "This did not work here. Try again, or use another way.";
      button.disabled = false;
    }
  }

  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.querySelector("[data-passkey-start]").addEventListener("click", () => start(form));
    form.addEventListener("submit", (event) => {
      if (form.querySelector('input[name$="credential"]').value) return;
      event.preventDefault();
      start(form);
    });
  }
})();
