"use strict";
// Updates the page with the events of the run.
(() => {
  const events = new EventSource("events?run=TOKEN");
  const note = document.createElement("p");
  note.className = "note";
  note.setAttribute("role", "status");
  const say = (text) => {
    note.textContent = text;
    document.getElementById("page").prepend(note);
  };
  events.onopen = () => note.remove();
  events.onmessage = (event) => molotov.update(JSON.parse(event.data));
  events.addEventListener("end", () => events.close());
  events.onerror = () => {
    const isOver = events.readyState === EventSource.CLOSED;
    say(isOver ? "The run has ended. This page does not have its last results." : "The connection to the run is lost. Connecting again…");
  };
})();
