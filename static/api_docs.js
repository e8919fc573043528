// Draws the API's description from the OpenAPI file with the packaged Swagger UI.
const place = document.getElementById("api-docs");

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  docExpansion: "list", tagsSorter: "alpha",
  defaultModelsExpandDepth: -1,
  requestInterceptor: (request) => {
    if (!["GET", "HEAD"].includes(request.method || "GET")) request.headers["X-CSRFToken"] = place.dataset.token;
    return request;
  },
});
