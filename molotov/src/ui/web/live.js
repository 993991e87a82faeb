"use strict";
(() => {
  const events = new EventSource("events?run=TOKEN");
  events.onmessage = (event) => molotov.update(JSON.parse(event.data));
  events.addEventListener("end", () => events.close());
})();
