"use strict";
(() => {
  const rows = document.querySelector("tbody");
  const state = document.querySelector("#live");
  let source = null;

  const element = (name, ...children) => {
    const created = document.createElement(name);
    created.append(...children);
    return created;
  };

  const row = (request) => {
    const time = new Date(request.time * 1000).toISOString().slice(11, 19);
    const what = element("td", element("code", `${request.method} ${request.path}`));
    if (request.client_id !== null) {
      what.append(" ", element("small", `by ${request.client_id}`));
    }
    const status = request.status === null ? "none" : String(request.status);
    const created = element("tr", element("td", element("time", time)), what, element("td", status));
    created.classList.toggle("failed", request.status === null || request.status >= 400);
    return created;
  };

  // A browser has few connections to one host: a page that is hidden gives its own back.
  const follow = () => {
    source?.close();
    source = null;
    if (document.hidden) return;
    let isFirst = true;
    source = new EventSource("_control/requests");
    source.onopen = () => { state.textContent = "New requests appear here at once."; };
    source.onerror = () => { state.textContent = "The tenant does not answer."; };
    source.addEventListener("request", (event) => {
      // The stream starts with the requests that the page shows.
      if (isFirst) rows.replaceChildren();
      isFirst = false;
      rows.prepend(row(JSON.parse(event.data)));
      while (rows.children.length > Number(rows.dataset.shown)) rows.lastElementChild.remove();
    });
  };
  document.addEventListener("visibilitychange", follow);
  follow();

  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copies);
      field.select();
      await navigator.clipboard?.writeText(field.value);
      button.textContent = "Copied";
    });
  }
})();
