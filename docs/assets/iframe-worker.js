/* SPDX-License-Identifier: Apache-2.0 */
/* A browser starts no worker for a page from the disk. There, the search runs in a hidden frame. */

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      const script = document.createElement("script");
      script.src = new URL(url, location);
      frame.hidden = true;
      frame.srcdoc = script.outerHTML;
      this.loaded = new Promise((resolve) => frame.addEventListener("load", resolve)).then(() => {
        frame.contentWindow.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        return frame.contentWindow;
      });
      document.body.append(frame);
    }

    postMessage(data) {
      this.loaded.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
