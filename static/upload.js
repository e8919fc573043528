// Sends a large file of the exhibit form in pieces to an upload that outlives the page: progress, pause, going on after
// a broken connection or a reload. The server's offset decides. Small files, and pages without this, use the form as is.
"use strict";

(() => {
  const MB = 1024 * 1024;
  const LARGE = 4 * MB; // smaller ones go with the form itself
  const LEAST = MB;
  const MOST = 16 * MB;
  const SECONDS_A_PIECE = 3; // as much as a break can cost
  const TRIES = 8;

  const form = document.querySelector("form[data-uploads]");
  if (!form) return;
  const { uploads, exhibits, jobs } = form.dataset;
  const token = form.elements.csrfmiddlewaretoken.value;
  const shown = document.getElementById("upload-progress");
  const part = (name) => shown.querySelector(`[data-${name}]`);
  const bar = shown.querySelector("progress");
  let sending = null;

  class Refusal extends Error {} // the server's answer is no
  class Interrupted extends Error {} // it can go on later
  class Cancelled extends Error {}

  // What the server says

  function ask(method, address, body) {
    const headers = { "X-CSRFToken": token, Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    return fetch(address, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin" });
  }

  async function problem(answer) {
    if ([401, 403].includes(answer.status)) {
      return new Interrupted("You are signed out, or may no longer do this. Sign in in another tab, then go on.");
    }
    let said = {};
    try {
      said = await answer.json();
    } catch {
      // no document: the status has to do
    }
    const text = said.detail || said.title || `The server answered with ${answer.status}.`;
    if (answer.status >= 500) return new Interrupted(text);
    return Object.assign(new Refusal(text), { errors: said.errors ?? [] });
  }

  async function standing(job) {
    const answer = await ask("GET", job.address);
    if (!answer.ok) throw await problem(answer);
    return answer.json();
  }

  // What the page says

  const size = (bytes) => {
    for (const [unit, of] of [["GB", 1024 * MB], ["MB", MB], ["KB", 1024]]) {
      if (bytes >= of) return `${(bytes / of).toFixed(1)} ${unit}`;
    }
    return `${bytes} bytes`;
  };
  const span = (seconds) => {
    if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
    return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  };

  function say(text) {
    part("said").textContent = text;
  }

  function fail(text) {
    part("failed").textContent = text;
    part("failed").hidden = !text;
  }

  function figures(job, arrived) {
    const percent = Math.floor((100 * arrived) / job.file.size);
    const rate = job.rate(arrived);
    bar.value = percent;
    const left = rate ? `, ${size(rate)} a second, about ${span((job.file.size - arrived) / rate)} left` : "";
    part("figures").textContent = `${size(arrived)} of ${size(job.file.size)}, ${percent} %${job.paused ? "" : left}`;
    if (percent >= job.told + 10) {
      job.told = percent - (percent % 10);
      say(`${job.told} % has arrived.`);
    }
  }

  // One file on its way

  class Sending {
    constructor(file) {
      Object.assign(this, { file, offset: 0, address: "", piece: LEAST, failures: 0, told: 0, samples: [] });
      Object.assign(this, { paused: false, cancelled: false, request: null, wake: () => {} });
    }

    // Bytes a second over the last ten seconds.
    rate(arrived) {
      const now = performance.now() / 1000;
      this.samples.push([now, arrived]);
      while (this.samples.length > 2 && now - this.samples[0][0] > 10) this.samples.shift();
      const [first, before] = this.samples[0];
      return now - first > 0.5 ? Math.max(0, (arrived - before) / (now - first)) : 0;
    }

    pause(paused, why = "") {
      this.paused = paused;
      this.samples = [];
      part("pause").textContent = paused ? "Go on" : "Pause";
      fail(why);
      if (paused) {
        this.request?.abort();
        if (!why) say("Paused. What arrived is kept.");
        figures(this, this.offset);
      } else {
        this.failures = 0;
        say("Going on.");
      }
      this.wake();
    }

    async wait(seconds) {
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, seconds * 1000);
      });
      if (this.cancelled) throw new Cancelled();
    }

    async whilePaused() {
      if (this.cancelled) throw new Cancelled();
      while (this.paused) await this.wait(3600);
    }

    // Something went wrong on the way: try again, later each time, and pause in the end.
    async again(text) {
      if (this.paused || this.cancelled) return;
      this.failures += 1;
      if (this.failures > TRIES) {
        this.pause(true, `${text} Paused: what arrived is kept. Go on when it is mended.`);
        return;
      }
      say(`${text} Trying again …`);
      await this.wait(Math.min(30, 2 ** (this.failures - 1)));
    }

    send(bytes, digest) {
      return new Promise((done) => {
        const request = new XMLHttpRequest();
        this.request = request;
        request.open("PATCH", this.address);
        request.setRequestHeader("X-CSRFToken", token);
        request.setRequestHeader("Accept", "application/json");
        request.setRequestHeader("Content-Type", "application/offset+octet-stream");
        request.setRequestHeader("Upload-Offset", String(this.offset));
        if (digest) request.setRequestHeader("Content-Digest", `sha-256=:${digest}:`);
        request.upload.onprogress = (event) => figures(this, this.offset + Math.min(event.loaded, bytes.byteLength));
        request.onloadend = () => {
          this.request = null;
          done(request);
        };
        request.send(bytes);
      });
    }

    async onePiece() {
      let bytes;
      try {
        bytes = await this.file.slice(this.offset, this.offset + this.piece).arrayBuffer();
      } catch {
        throw new Interrupted("The file can no longer be read: it was changed or moved. Choose it again after a reload.");
      }
      const digest = await digestOf(bytes);
      if (this.paused || this.cancelled) return;
      const began = performance.now();
      const answer = await this.send(bytes, digest);
      if (answer.status === 204) {
        this.offset = Number(answer.getResponseHeader("Upload-Offset"));
        this.failures = 0;
        const wanted = (bytes.byteLength / Math.max(1, performance.now() - began)) * 1000 * SECONDS_A_PIECE;
        this.piece = Math.round(Math.min(MOST, Math.max(LEAST, wanted, this.piece / 2), this.piece * 2));
        figures(this, this.offset);
        return;
      }
      if (answer.status === 0) await this.again("The connection broke.");
      else if (![409, 503].includes(answer.status)) throw await problem(response(answer));
      else if (answer.status === 503) await this.again((await problem(response(answer))).message);
      else await this.again("Another request was sending to this upload.");
      if (!this.paused && !this.cancelled) await this.findOffset();
    }

    // Where to go on: what the server has for certain.
    async findOffset() {
      try {
        const upload = await standing(this);
        if (upload.state !== "open") throw new Refusal(upload.problem || `This upload is ${upload.state} already.`);
        this.offset = upload.offset;
        figures(this, this.offset);
      } catch (error) {
        if (error instanceof Refusal || error instanceof Interrupted) throw error;
        await this.again("The server does not answer.");
        if (!this.paused && !this.cancelled) await this.findOffset();
      }
    }

    async pieces() {
      while (this.offset < this.file.size) {
        await this.whilePaused();
        try {
          await this.onePiece();
        } catch (error) {
          if (!(error instanceof Interrupted)) throw error;
          this.pause(true, error.message);
        }
        if (this.paused) {
          await this.whilePaused();
          await this.findOffset();
        }
      }
    }

    // Everything is there: a worker takes it in.
    async complete() {
      part("pause").hidden = part("cancel").hidden = true;
      bar.removeAttribute("value");
      say("All of it arrived. A worker compares it with what was sent and takes it in …");
      const answer = await ask("POST", `${this.address}complete/`);
      if (!answer.ok) throw await problem(answer);
      const work = jobs.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, (await answer.json()).job.id);
      for (let failures = 0; failures < TRIES; ) {
        await this.wait(0.7);
        try {
          const upload = await standing(this);
          if (upload.state === "done") return upload.number;
          if (upload.state !== "taking_in") throw new Refusal(upload.problem || "It was not taken in.");
          const now = await (await ask("GET", work)).json();
          if (["failed", "parked"].includes(now.state)) throw new Refusal(`It could not be taken in: ${now.error}`);
          part("figures").textContent = now.state === "queued" ? "It waits for a worker." : (now.note ?? "");
          failures = 0;
        } catch (error) {
          if (error instanceof Refusal) throw error;
          failures += 1;
        }
      }
      throw new Refusal("The server does not answer. All of it arrived: reload the page to see what became of it.");
    }
  }

  // A request of XMLHttpRequest as fetch would give it.
  function response(request) {
    return new Response(request.responseText, { status: request.status });
  }

  // In base64; empty where the browser does not compute digests (a page without TLS).
  async function digestOf(bytes) {
    if (!window.crypto?.subtle) return "";
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return btoa(String.fromCharCode(...digest));
  }

  // Beginning, and going on with one that was begun

  function described(file) {
    const fields = new FormData(form);
    const ours = [...fields].filter(([name]) => !["csrfmiddlewaretoken", "file"].includes(name));
    const own = ours.filter(([name]) => name.startsWith("detail_")).map(([name, value]) => [name.slice(7), value]);
    return {
      ...Object.fromEntries(ours.filter(([name]) => !name.startsWith("detail_"))),
      details: Object.fromEntries(own),
      acquired_at: `${fields.get("acquired_at")}Z`, // the form asks for UTC
      file_name: file.name,
      size: file.size,
      declared_type: file.type,
    };
  }

  async function begun(job) {
    const answer = await ask("POST", uploads, described(job.file));
    if (!answer.ok) throw await problem(answer);
    return (await answer.json()).id;
  }

  // The file that was chosen has to be the one that was begun: what arrived last is compared with it.
  async function demandSame(job) {
    const upload = await standing(job);
    if (job.file.size !== upload.size) {
      throw new Refusal(`This file has ${size(job.file.size)}; the one that was begun has ${size(upload.size)}.`);
    }
    const last = upload.last_part;
    if (!last || !window.crypto?.subtle) return;
    const bytes = await job.file.slice(last.offset, last.offset + last.size).arrayBuffer();
    const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))];
    if (digest.map((one) => one.toString(16).padStart(2, "0")).join("") !== last.sha256) {
      throw new Refusal("This is not the file that was begun: its bytes are others. Choose that one, or remove what arrived.");
    }
  }

  async function go(file, id, place) {
    const job = new Sending(file);
    sending = job;
    place.append(shown);
    document.querySelector(".own-uploads .sending")?.classList.remove("sending");
    place.classList.add("sending"); // what the row itself says of it gives way to the progress
    shown.hidden = false;
    part("name").textContent = file.name;
    part("pause").hidden = part("cancel").hidden = true;
    part("pause").textContent = "Pause";
    part("figures").textContent = "";
    bar.value = 0;
    fail("");
    say("Beginning.");
    shown.focus();
    busy(true);
    try {
      job.address = id ? `${uploads}${id}/` : "";
      if (id) await demandSame(job);
      else job.address = `${uploads}${await begun(job)}/`;
      part("pause").hidden = part("cancel").hidden = false;
      await job.findOffset();
      await job.pieces();
      window.location.assign(`${exhibits}${await job.complete()}/`);
    } catch (error) {
      part("pause").hidden = true;
      part("cancel").hidden = !job.address;
      bar.value = 0;
      place.classList.remove("sending");
      if (error instanceof Cancelled) return;
      say("");
      fail(error.message || "It was not sent.");
      atFields(error.errors ?? []);
      busy(false);
    }
  }

  // Refused fields, marked; the first of them has the focus.
  function atFields(errors) {
    const found = errors.map((one) => {
      const name = (one.pointer ?? "").split("/").pop();
      const field = form.elements[name === "size" ? "file" : name] ?? form.elements[`detail_${name}`];
      if (field) field.setAttribute("aria-invalid", "true");
      return { field, text: one.detail };
    });
    if (found.length) fail(found.map((one) => one.text).join(" "));
    found.find((one) => one.field)?.field.focus();
  }

  function busy(is) {
    for (const button of document.querySelectorAll("form[data-uploads] button, [data-give-up]")) button.disabled = is;
    for (const field of document.querySelectorAll("[data-resume] input")) field.disabled = is;
  }

  async function remove(address) {
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        const answer = await ask("DELETE", address);
        if (answer.ok || answer.status === 404) return true;
        fail((await problem(answer)).message);
        return false;
      } catch {
        await new Promise((done) => setTimeout(done, 1000 * 2 ** tries));
      }
    }
    return false;
  }

  part("pause").addEventListener("click", () => sending?.pause(!sending.paused));

  part("cancel").addEventListener("click", async () => {
    const job = sending;
    if (!job) return;
    job.cancelled = true;
    job.request?.abort();
    job.wake();
    say("Removing what arrived …");
    const removed = !job.address || (await remove(job.address));
    busy(false);
    if (!removed) return;
    part("pause").hidden = part("cancel").hidden = true;
    fail("");
    part("figures").textContent = "";
    say("Cancelled. What arrived was removed.");
    shown.closest("[data-upload]")?.querySelector("[data-resume]")?.remove();
  });

  window.addEventListener("online", () => sending?.wake());

  form.addEventListener("submit", (event) => {
    const file = form.elements.file.files[0];
    if (!file || file.size < LARGE) return;
    event.preventDefault();
    for (const field of form.elements) field.removeAttribute("aria-invalid");
    go(file, "", form.parentElement);
  });

  form.elements.file.addEventListener("change", () => {
    const file = form.elements.file.files[0];
    const row = [...document.querySelectorAll("[data-upload]")].find(
      (one) => file && Number(one.dataset.size) === file.size && one.dataset.fileName === file.name,
    );
    if (!row) return;
    shown.hidden = false;
    part("name").textContent = file.name;
    part("pause").hidden = part("cancel").hidden = true;
    say("Part of this file arrived earlier. To go on with that, choose it under “Your uploads to this case”.");
  });

  for (const row of document.querySelectorAll("[data-upload]")) {
    const resume = row.querySelector("[data-resume]");
    const give = row.querySelector("[data-give-up]");
    resume.hidden = give.hidden = false;
    resume.querySelector("input").addEventListener("change", (event) => {
      const file = event.target.files[0];
      if (file) go(file, row.dataset.upload, row);
    });
    give.addEventListener("click", async () => {
      busy(true);
      if (await remove(`${uploads}${row.dataset.upload}/`)) row.remove();
      busy(false);
    });
  }
})();
